// Snippets: "/" at the beginning of a word opens a list at the composer; what is chosen goes in where the cursor is.

const list = () => document.getElementById("snippet-list");
const field = () => document.querySelector("#composer textarea[name=text]");
const options = () => Array.from(list().querySelectorAll("[data-text]"));

let asked = 0;
let answered = 0;
let from = null; // where the "/" stands; null when the list was opened by its button

const isOpen = () => Boolean(list() && !list().hidden);
// Open, or on its way: whoever takes it back meanwhile does not get it.
const isWanted = () => isOpen() || asked !== answered;

async function show(words) {
  const form = field().form;
  const number = ++asked;
  const address = `${form.dataset.snippets}?${new URLSearchParams({ q: words })}`;
  const answer = await fetch(address, { headers: { "HX-Request": "true" } })
    .then((response) => (response.ok ? response.text() : null))
    .catch(() => null);
  if (number !== asked) return;
  answered = number;
  if (answer === null || !list()) return;
  list().innerHTML = answer;
  list().hidden = false;
  expanded(true);
  mark(options()[0]);
}

function hide() {
  answered = asked += 1;
  from = null;
  if (!list()) return;
  list().hidden = true;
  expanded(false);
}

function expanded(open) {
  const text = field();
  // A field of several lines may not have the role of a combobox; what it points to says the same.
  text.setAttribute("aria-haspopup", "listbox");
  text.setAttribute("aria-controls", "snippet-list");
  text.setAttribute("aria-autocomplete", "list");
  if (!open) text.removeAttribute("aria-activedescendant");
  document.querySelector("[data-snippets-open]")?.setAttribute("aria-expanded", open);
}

function mark(option) {
  for (const each of options()) each.setAttribute("aria-selected", each === option);
  if (!option) return field().removeAttribute("aria-activedescendant");
  field().setAttribute("aria-activedescendant", option.id);
  option.scrollIntoView({ block: "nearest" });
}

function move(step) {
  const all = options();
  const at = all.findIndex((option) => option.getAttribute("aria-selected") === "true");
  if (all.length) mark(all[(at + step + all.length) % all.length]);
}

function insert(option) {
  const text = field();
  const start = from ?? text.selectionStart;
  text.setRangeText(option.dataset.text, start, from === null ? start : text.selectionStart, "end");
  hide();
  text.focus();
  text.dispatchEvent(new Event("input", { bubbles: true }));
}

// The word that begins with "/" and ends at the cursor.
function typed(text) {
  if (text.selectionStart !== text.selectionEnd) return null;
  const match = text.value.slice(0, text.selectionStart).match(/(?:^|\s)(\/[^\s/]*)$/);
  return match && { start: text.selectionStart - match[1].length, words: match[1].slice(1) };
}

document.addEventListener("input", (event) => {
  if (event.target !== field() || event.isComposing) return;
  const word = typed(event.target);
  if (!word) return isWanted() && hide();
  from = word.start;
  show(word.words);
});

document.addEventListener(
  "keydown",
  (event) => {
    if (event.target !== field() || !isWanted() || event.isComposing) return;
    if (!isOpen() && event.key !== "Escape") return;
    const chosen = options().find((option) => option.getAttribute("aria-selected") === "true");
    if (event.key === "ArrowDown") move(1);
    else if (event.key === "ArrowUp") move(-1);
    else if ((event.key === "Enter" || event.key === "Tab") && chosen && !event.ctrlKey && !event.metaKey) insert(chosen);
    else if (event.key === "Escape") hide();
    else return;
    event.preventDefault();
    event.stopPropagation();
  },
  true,
);

document.addEventListener("click", (event) => {
  const option = event.target.closest("#snippet-list [data-text]");
  if (option) return insert(option);
  if (event.target.closest("[data-snippets-open]")) {
    event.preventDefault();
    if (isWanted()) return hide();
    field().focus();
    return show("");
  }
  if (isWanted() && event.target !== field()) hide();
});
// A press on an option must not take the cursor out of the text.
document.addEventListener("mousedown", (event) => {
  if (event.target.closest("#snippet-list, [data-snippets-open]")) event.preventDefault();
});
