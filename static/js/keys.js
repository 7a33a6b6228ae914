// Single keys, the sheet that lists them, and the palette. Keys are told by what they write, on any keyboard's layout.

const panes = document.querySelector(".panes");
const composer = () => document.querySelector("#composer textarea[name=text]");
const rows = () => Array.from(document.querySelectorAll("#list .row > a"));

const focused = () => document.activeElement.closest?.(".row")?.querySelector(":scope > a");
const rowAt = () => focused() ?? rows().find((row) => row.ariaCurrent);

function step(by) {
  const all = rows();
  const at = all.indexOf(rowAt());
  const row = all[Math.min(Math.max(at + by, 0), all.length - 1)];
  row?.focus();
  row?.scrollIntoView({ block: "nearest" });
}

function openRow() {
  (focused() ?? rows()[0])?.click();
}

// With conversations selected, a key is about all of them.
function onSelected(key) {
  if (!document.querySelector("#list .pick :checked")) return null;
  return Array.from(document.querySelectorAll(`[data-many="${key}"]`)).find((button) => button.checkVisibility());
}

function press(key) {
  const button = onSelected(key);
  if (button) button.click();
  else ACTS[key]();
}

// What stands on the card may have to come first.
async function onCard(selector) {
  const card = document.getElementById("card");
  if (!card) return;
  if (!card.getClientRects().length) document.querySelector("[data-card-toggle]").click();
  for (let tries = 0; tries < 40 && !card.querySelector(selector); tries += 1) {
    await new Promise((later) => setTimeout(later, 50));
  }
  card.querySelector(selector)?.focus();
}

const ACTS = {
  j: () => step(1),
  k: () => step(-1),
  o: openRow,
  x: () => rowAt()?.parentElement.querySelector(".pick input")?.click(),
  r: () => composer()?.focus(),
  n: () => onCard(".note-form textarea"),
  t: () => onCard("#card-tag"),
  e: () => document.querySelector("#handling [data-key=e]")?.click(),
  s: () => {
    const menu = document.querySelector(".snoozing");
    if (!menu) return;
    menu.open = true;
    menu.querySelector(".menu-item").focus();
  },
  a: () => document.querySelector(".assignment button")?.click(),
  u: () => document.getElementById("mark-unread")?.requestSubmit(),
  "/": () => document.getElementById("inbox-search")?.focus(),
  "?": showSheet,
};

const writes = (element) => Boolean(element.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]"));

document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.defaultPrevented) return;
  if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey) {
    event.preventDefault();
    return showPalette();
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat && !"jk".includes(event.key)) return;
  if (panes.dataset.shortcuts !== "on" || writes(event.target) || document.querySelector("dialog[open]")) return;
  if (!Object.hasOwn(ACTS, event.key)) return;
  event.preventDefault();
  press(event.key);
});

// --- The sheet

const sheet = document.getElementById("sheet");

function showSheet() {
  sheet.showModal();
  htmx.ajax("GET", panes.dataset.preferencesAddress, { target: "#sheet-body", swap: "innerHTML" });
}

document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-sheet]") || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  showSheet();
});

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("#sheet [data-preferences]");
  if (!form) return;
  event.preventDefault();
  const body = new FormData(form);
  const headers = { "HX-Request": "true", "X-CSRFToken": body.get("csrfmiddlewaretoken") };
  const response = await fetch(form.action, { method: "POST", body, headers }).catch(() => null);
  if (!response?.ok) return form.submit();
  panes.dataset.shortcuts = body.has("uses_shortcuts") ? "on" : "off";
  sheet.close();
});

// --- The palette

const palette = document.getElementById("palette");
const field = palette.querySelector("input");
const list = document.getElementById("palette-options");
let asked = 0;
let cursor = null; // where it stood in the composer

function showPalette() {
  if (palette.open) return;
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  cursor = document.activeElement === composer() ? composer().selectionStart : null;
  palette.showModal();
  field.value = "";
  find();
}

async function find() {
  const number = ++asked;
  const conversation = document.getElementById("thread")?.dataset.conversation ?? "";
  const response = await fetch(`${panes.dataset.goto}?${new URLSearchParams({ q: field.value, conversation })}`, { headers: { "HX-Request": "true" } });
  if (!response.ok || number !== asked) return;
  list.innerHTML = await response.text();
  mark(options()[0]);
}

const options = () => Array.from(list.querySelectorAll(".option"));
const chosen = () => options().find((option) => option.ariaSelected === "true");

function mark(option) {
  for (const each of options()) each.ariaSelected = each === option;
  if (!option) return field.removeAttribute("aria-activedescendant");
  field.setAttribute("aria-activedescendant", option.id);
  option.scrollIntoView({ block: "nearest" });
}

function run(option) {
  palette.close();
  const { address, press: key, text } = option.dataset;
  if (address) location.assign(address);
  else if (key) press(key);
  else if (composer()) {
    const area = composer();
    const place = cursor ?? area.value.length;
    area.setRangeText(text, place, place, "end");
    area.focus();
    area.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

field.addEventListener("input", find);
field.addEventListener("keydown", (event) => {
  const all = options();
  const at = all.indexOf(chosen());
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    mark(all[(at + (event.key === "ArrowDown" ? 1 : -1) + all.length) % all.length]);
  } else if (event.key === "Enter" && chosen() && !event.isComposing) {
    run(chosen());
  } else return;
  event.preventDefault();
});
list.addEventListener("click", (event) => {
  const option = event.target.closest(".option");
  if (option) run(option);
});
palette.addEventListener("click", (event) => {
  if (event.target === palette) palette.close();
});
