// Copying a text with one press. Without this module, or where the browser forbids it, the text is there to be selected.

function show() {
  if (!navigator.clipboard) return;
  for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const text = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(text.textContent);
    document.getElementById("copied").textContent = button.dataset.copied;
  } catch {
    getSelection().selectAllChildren(text);
  }
});

document.addEventListener("htmx:afterSettle", show);
show();
