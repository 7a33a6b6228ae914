// The widths of the columns, as somebody set them on this machine. Read before the page is painted, so nothing jumps;
// that is why this one is no module.
{
  // In percent of the window; the divider of the card lies on its left.
  const PANES = { list: { least: 24, most: 40, side: 1 }, card: { least: 15, most: 28, side: -1 } };
  const root = document.documentElement;

  const paneOf = (divider) => PANES[divider.dataset.divides];
  const now = (divider) => (100 * document.getElementById(divider.getAttribute("aria-controls")).offsetWidth) / innerWidth;

  function stored(name) {
    try {
      return Number(localStorage.getItem(`width-${name}`));
    } catch {
      return 0; // This browser keeps nothing for us.
    }
  }

  function keep(name, percent) {
    try {
      if (percent) localStorage.setItem(`width-${name}`, percent);
      else localStorage.removeItem(`width-${name}`);
    } catch {
      // It holds until the next page.
    }
  }

  function show(name, percent) {
    if (percent) root.style.setProperty(`--${name}-width`, `${percent}%`);
    else root.style.removeProperty(`--${name}-width`);
  }

  function set(divider, percent) {
    const { least, most } = paneOf(divider);
    const within = percent && Math.round(10 * Math.min(Math.max(percent, least), most)) / 10;
    show(divider.dataset.divides, within);
    keep(divider.dataset.divides, within);
    tell();
  }

  function tell() {
    for (const divider of document.querySelectorAll("[data-divides]")) {
      if (divider.checkVisibility()) divider.ariaValueNow = Math.round(now(divider));
    }
  }

  for (const [name, { least, most }] of Object.entries(PANES)) {
    const percent = stored(name);
    if (percent >= least && percent <= most) show(name, percent);
  }

  const dividerAt = (event) => event.target.closest?.("[data-divides]");
  let dragged = null;

  document.addEventListener("pointerdown", (event) => {
    dragged = event.button === 0 ? dividerAt(event) : null;
    dragged?.setPointerCapture(event.pointerId);
  });
  document.addEventListener("pointermove", (event) => {
    if (!dragged) return;
    const share = (100 * event.clientX) / innerWidth;
    set(dragged, paneOf(dragged).side > 0 ? share : 100 - share);
  });
  for (const end of ["pointerup", "pointercancel"]) document.addEventListener(end, () => (dragged = null));

  document.addEventListener("keydown", (event) => {
    const divider = dividerAt(event);
    if (!divider || event.ctrlKey || event.metaKey || event.altKey) return;
    const { least, most, side } = paneOf(divider);
    const wanted = {
      ArrowLeft: () => now(divider) - side,
      ArrowRight: () => now(divider) + side,
      Home: () => least,
      End: () => most,
      Enter: () => 0,
    };
    if (!Object.hasOwn(wanted, event.key)) return;
    event.preventDefault();
    set(divider, wanted[event.key]());
  });
  document.addEventListener("dblclick", (event) => {
    const divider = dividerAt(event);
    if (divider) set(divider, 0);
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-widen]");
    if (!button) return;
    const divider = button.parentElement.querySelector("[data-divides]");
    set(divider, now(divider) + Number(button.dataset.widen));
  });

  document.addEventListener("DOMContentLoaded", tell);
  document.addEventListener("htmx:afterSettle", tell);
  addEventListener("resize", tell);
}
