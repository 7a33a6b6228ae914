// An answer to what the form said before somebody went on typing is not drawn: theirs would be overwritten.

const form = document.querySelector("#builder").closest("form");
const said = () => new URLSearchParams(new FormData(form)).toString();
let asked = "";

form.addEventListener("htmx:beforeRequest", () => { asked = said(); });
form.addEventListener("htmx:beforeSwap", (event) => {
  if (said() !== asked) event.detail.shouldSwap = false;
});
