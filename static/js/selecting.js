// Conversations of the list are selected, to do something with all of them. Who is ticked, the boxes themselves know.

const list = () => document.getElementById("list");
const boxes = () => Array.from(document.querySelectorAll("#list .pick input"));
const ticked = () => boxes().filter((box) => box.checked);
const bar = document.querySelector(".selection-bar");
let last; // the id of the box that was ticked last: where a stretch begins

// The list that comes from the server is of nobody's ticks.
Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, element) => !(name === "checked" && element.closest(".pick"));

function count() {
  if (!bar) return;
  const said = bar.querySelector("[data-selected]");
  const page = bar.querySelector("[data-select-page]");
  const many = ticked().length;
  said.textContent = many === 1 ? said.dataset.one : said.dataset.many.replace("%d", many);
  page.checked = many === boxes().length;
  page.indeterminate = !page.checked;
  if (!many) for (const menu of bar.querySelectorAll("details[open]")) menu.open = false;
}

function tickAll(all, checked) {
  for (const box of all) box.checked = checked;
  count();
}

const isInBar = () => bar.contains(document.activeElement);

// Whoever was in the bar goes on where they ticked last.
function clear(wasInBar = isInBar()) {
  tickAll(boxes(), false);
  if (wasInBar) (document.getElementById(last)?.closest(".row") ?? list()).querySelector("a")?.focus();
}

document.addEventListener("click", (event) => {
  const box = event.target.closest(".pick input");
  if (box) {
    const all = boxes();
    const ends = [all.findIndex((each) => each.id === last), all.indexOf(box)].sort((one, other) => one - other);
    if (event.shiftKey && ends[0] !== -1) tickAll(all.slice(ends[0], ends[1] + 1), box.checked);
    last = box.id;
    count();
  } else if (event.target.closest("[data-unselect]")) clear();
  else if (event.target.matches("[data-select-page]")) tickAll(boxes(), event.target.checked);
});

// A stretch of rows, not of words.
document.addEventListener("mousedown", (event) => {
  if (event.shiftKey && event.target.closest(".pick")) event.preventDefault();
});

document.addEventListener(
  "keydown",
  (event) => {
    const box = event.target.closest?.(".pick input");
    if (event.key === "Enter" && box) {
      event.preventDefault();
      box.closest(".row").querySelector("a").click();
    }
    if (event.key !== "Escape" || !ticked().length) return;
    const isTaken = event.target.closest("#composer, #card, #inbox-search") || document.querySelector("dialog[open], details.menu[open]");
    if (!isTaken) clear();
  },
  // Before a menu closes: the same key would do both.
  true,
);

// Whoever opens a menu by its key goes on by keyboard.
bar?.addEventListener(
  "toggle",
  (event) => {
    if (!event.target.open) return;
    event.target.querySelector(".menu-items :is(input, button)").focus();
    if (event.target.querySelector("datalist:empty")) fillTags(event.target.querySelector("datalist"));
  },
  true,
);

async function fillTags(datalist) {
  for (let address = datalist.dataset.address; address; ) {
    const response = await fetch(address).catch(() => null);
    if (!response?.ok) return;
    const { next, results } = await response.json();
    datalist.append(...results.map((tag) => new Option("", tag.name)));
    address = next;
  }
}

// --- What the server answered

let wasInBar = false;
document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.elt.id === "selection") wasInBar = isInBar();
});

document.addEventListener("htmx:beforeSwap", (event) => {
  const { requestConfig, xhr } = event.detail;
  // The page says what is wrong with the choice.
  if (requestConfig.elt.id === "selection" && xhr.status === 400) event.detail.shouldSwap = true;
});

document.addEventListener("htmx:afterRequest", (event) => {
  const { elt, successful, xhr } = event.detail;
  if (elt.id !== "selection" || xhr.status === 400) return;
  if (successful) {
    bar.querySelector("[name=tag]").value = "";
    clear(wasInBar);
  } else {
    const words = document.createElement("p");
    words.className = "refusal";
    words.textContent = xhr.status === 404 ? bar.dataset.gone : bar.dataset.failed;
    document.getElementById("done").replaceChildren(words);
    // The list without the one that is gone.
    htmx.trigger(list(), "refresh");
  }
});

document.addEventListener("htmx:afterSwap", count);
addEventListener("pageshow", count);
count();
