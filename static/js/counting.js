// How many characters a field holds of those it may hold.

const { lang } = document.documentElement;

for (const shown of document.querySelectorAll("[data-counts]")) {
  const field = document.getElementById(shown.dataset.counts);
  const count = () => {
    const length = [...field.value].length;
    shown.textContent = `${length.toLocaleString(lang)} / ${Number(field.dataset.limit).toLocaleString(lang)}`;
    shown.classList.toggle("over", length > field.dataset.limit);
  };
  shown.hidden = false;
  shown.classList.add("near");
  field.addEventListener("input", count);
  count();
}
