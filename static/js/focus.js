// A part of the page is replaced: what had the focus has it again, else what stood around it, else what came next.

let places = [];

document.addEventListener("htmx:beforeSwap", ({ detail: { target } }) => {
  const focused = document.activeElement;
  // Where the focus goes in another conversation, live.js says.
  places = target.id !== "opened" && target.contains(focused) ? placesAround(focused, target) : [];
});

function placesAround(focused, target) {
  const controls = Array.from(target.querySelectorAll(":is(a, button, input:not([type=hidden]), select, summary, textarea)[id]"));
  const next = controls.filter((control) => focused.compareDocumentPosition(control) & Node.DOCUMENT_POSITION_FOLLOWING);
  const earlier = controls.filter((control) => !next.includes(control)).reverse();
  const summary = focused.closest("details")?.querySelector("summary");
  const around = focused.closest("[id][tabindex]");
  const ordered = target.contains(around) ? [around, ...next, ...earlier] : [...next, ...earlier, around];
  return [focused, summary, ...ordered].map((place) => place?.id).filter(Boolean);
}

document.addEventListener("htmx:afterSwap", () => {
  if (document.activeElement !== document.body) return;
  const there = places.map((id) => document.getElementById(id));
  there.find((place) => place?.checkVisibility())?.focus({ preventScroll: true });
  places = [];
});
