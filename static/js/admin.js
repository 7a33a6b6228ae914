// Names for what Django's own forms leave without one, out of the words that stand beside it.

const wordsOf = (element) => element?.textContent.trim() ?? "";
const headOf = (cell) => wordsOf(cell?.closest("table")?.tHead?.rows[0].cells[cell.cellIndex]);

function nameOf(control) {
  const beside = control.closest(".datetime") ? wordsOf(control.previousSibling) : "";
  const field = control.closest(".form-row")?.querySelector("legend, label");
  return `${headOf(control.closest(".tabular td")) || wordsOf(field)} ${beside}`.trim();
}

function nameAll() {
  for (const control of document.querySelectorAll(".tabular td :is(input, select, textarea), .datetime input, #searchbar")) {
    if (!wordsOf(control.labels?.[0])) control.ariaLabel ??= nameOf(control) || wordsOf(document.getElementById("searchbar_helptext"));
  }
  for (const select of document.querySelectorAll("select.select2-hidden-accessible")) {
    const words = wordsOf(select.labels[0]) || nameOf(select);
    for (const part of select.nextElementSibling?.querySelectorAll("[role=combobox], [role=textbox]") ?? []) part.ariaLabel = words;
  }
  for (const group of document.querySelectorAll(".inline-group[data-inline-type=tabular]")) {
    // It scrolls sideways on a phone, and may have nothing in it that takes the focus.
    group.tabIndex = 0;
    group.role = "region";
    group.ariaLabel = wordsOf(group.querySelector("h2"));
  }
  for (const tip of document.querySelectorAll(".help-tooltip[aria-label]")) tip.role = "img";
  for (const head of document.querySelectorAll("th")) {
    if (!wordsOf(head) && !head.querySelector("img, input")) head.role = "none";
  }
}

// Django's own scripts add controls, some of them after the page has loaded.
new MutationObserver(nameAll).observe(document.body, { childList: true, subtree: true });
nameAll();
