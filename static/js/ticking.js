// Ticking many rows: the box in the table's head ticks the page, and what is ticked is counted.

for (const form of document.querySelectorAll("[data-ticking]")) {
  const all = form.querySelector("[data-tick-all]");
  const said = form.querySelector("[data-ticked]");
  const which = form.querySelector("[name=which]");
  const boxes = [...form.querySelectorAll("input[name=fan]")];
  if (!all) continue;
  all.hidden = false;

  const count = () => {
    const ticked = boxes.filter((box) => box.checked).length;
    all.checked = ticked === boxes.length;
    all.indeterminate = ticked > 0 && ticked < boxes.length;
    said.textContent = ticked ? `${ticked} / ${boxes.length}` : "";
    if (ticked) which.value = "ticked";
  };
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    count();
  });
  for (const box of boxes) box.addEventListener("change", count);
  count();
}
