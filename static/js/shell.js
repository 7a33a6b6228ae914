// What every page has: menus that close, dialogs that open, toasts that go, passwords that may be looked at.

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
  const pressed = event.target.closest("[data-dialog], [data-close], [data-dismiss], [data-reveals]");
  if (!pressed) return;
  if (pressed.dataset.dialog) {
    event.preventDefault();
    document.getElementById(pressed.dataset.dialog).showModal();
  } else if ("close" in pressed.dataset) {
    event.preventDefault();
    pressed.closest("dialog").close();
  } else if ("dismiss" in pressed.dataset) {
    pressed.closest(".toast").remove();
  } else {
    reveal(pressed);
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = document.querySelector("details.menu[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});

function reveal(button) {
  const field = document.getElementById(button.dataset.reveals);
  const shown = field.type === "password";
  field.type = shown ? "text" : "password";
  button.setAttribute("aria-pressed", shown);
}

for (const button of document.querySelectorAll("[data-reveals]")) button.hidden = false;
