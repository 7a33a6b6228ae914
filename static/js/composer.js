// Sending: the bubble is there at once, the text is never lost, and one press is one message.
//
// A reply leaves the composer the moment it is sent, under a key of its own, so the next one can be typed while the
// first is on its way. Replies are posted one after the other, in the order they were written, and go on being posted
// when another conversation is opened meanwhile.

const drafts = new Map();
// What came back unsent, by conversation: what was written after it must not overtake it.
const returned = new Map();
let line = Promise.resolve();

const composer = () => document.getElementById("composer");
const isOpen = (conversation) => composer()?.dataset.conversation === conversation;
const characters = (text) => Array.from(text).length;

function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const hex = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
}

// --- The composer's own state

function count(form) {
  const text = form.elements.text;
  const limit = Number(text.dataset.limit);
  const used = characters(text.value);
  const shown = form.querySelector(".characters");
  shown.value = `${used.toLocaleString()} / ${limit.toLocaleString()}`;
  shown.classList.toggle("near", used > limit * 0.8);
  shown.classList.toggle("over", used > limit);
  text.setCustomValidity(used > limit ? form.dataset.tooLong : "");
}

function written(form) {
  const { text, price, media_urls, send_at, client_key } = form.elements;
  const draft = { text, price, media_urls, send_at, client_key };
  for (const name of Object.keys(draft)) draft[name] = draft[name].value;
  return draft;
}

function keepDraft(form) {
  const draft = written(form);
  if (draft.text || draft.price || draft.media_urls || draft.send_at) drafts.set(form.dataset.conversation, draft);
  else drafts.delete(form.dataset.conversation);
}

function fill(form, values) {
  for (const name of ["text", "price", "media_urls", "send_at", "client_key"]) form.elements[name].value = values[name] ?? "";
  if (values.price || values.media_urls || values.send_at) form.querySelector("details").open = true;
  count(form);
}

function empty(form) {
  fill(form, { client_key: newKey() });
  form.querySelector("details").open = false;
  for (const error of form.querySelectorAll(".errorlist, .alert:not([data-trouble])")) error.remove();
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
  form.querySelector("[data-trouble]").hidden = true;
  drafts.delete(form.dataset.conversation);
}

function start() {
  const form = composer();
  if (!form) return;
  const draft = drafts.get(form.dataset.conversation);
  if (draft && !form.elements.text.value) fill(form, draft);
  count(form);
}

document.addEventListener("input", (event) => {
  const form = event.target.closest("#composer");
  if (!form) return;
  count(form);
  keepDraft(form);
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
  const form = event.target.closest("#composer");
  if (!form) return;
  event.preventDefault();
  form.requestSubmit();
});

// --- Sending

document.addEventListener("submit", (event) => {
  const form = event.target.closest("#composer");
  if (!form) return;
  event.preventDefault();
  const reply = Object.fromEntries(new FormData(form));
  const conversation = form.dataset.conversation;
  returned.delete(conversation);
  showPending(reply);
  empty(form);
  form.elements.text.focus();
  line = line.then(() => post(form.action, conversation, reply)).catch(() => restore(conversation, reply, "unreachable"));
});

function showPending(reply) {
  const bubble = document.getElementById("pending-bubble").content.firstElementChild.cloneNode(true);
  bubble.dataset.pending = reply.client_key;
  bubble.querySelector(".text").textContent = reply.text;
  document.getElementById("pending").append(bubble);
  document.getElementById("scroller").scrollTop = 0;
}

function dropPending(key) {
  document.querySelector(`[data-pending="${CSS.escape(key)}"]`)?.remove();
}

async function post(address, conversation, reply) {
  if (returned.has(conversation)) return restore(conversation, reply, "unreachable");
  const { csrfmiddlewaretoken, ...values } = reply;
  const body = new FormData();
  for (const [name, value] of Object.entries(values)) body.append(name, value);
  body.set("from", (isOpen(conversation) && document.getElementById("thread-start")?.value) || "");
  const response = await fetch(address, {
    method: "POST",
    // The cookie is fresher than the form after a new sign-in in another tab.
    headers: {
      "HX-Request": "true",
      "X-CSRFToken": document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1] ?? csrfmiddlewaretoken,
    },
    body,
    // Closing the tab right after pressing Send still sends; browsers allow that for small bodies only.
    keepalive: reply.text.length + reply.media_urls.length < 10_000,
    signal: AbortSignal.timeout(20_000),
  });
  const answer = await response.text();
  if (response.ok) {
    showThread(conversation, answer, Number(response.headers.get("Huntaze-Seq")));
    dropPending(reply.client_key);
  } else if (response.status === 400 && isOpen(conversation)) {
    showErrors(answer);
    dropPending(reply.client_key);
  } else {
    restore(conversation, reply, response.status === 401 ? "signedOut" : response.status >= 500 ? "unreachable" : "refused");
  }
}

function showThread(conversation, html, seq) {
  const thread = document.getElementById("thread");
  if (thread?.dataset.conversation !== conversation || seq < Number(thread.dataset.seq)) return;
  htmx.swap(thread, html, { swapStyle: "morph:outerHTML" }, { contextElement: thread });
}

// Whatever was typed while the answer was on its way stays, below what has to be corrected.
function rejoined(first, second) {
  return second.trim() ? `${first}\n\n${second}` : first;
}

function showErrors(html) {
  const typed = composer().elements.text.value;
  composer().outerHTML = html;
  const form = composer();
  form.elements.text.value = rejoined(form.elements.text.value, typed);
  count(form);
  keepDraft(form);
  (form.querySelector("[aria-invalid]") ?? form.elements.text).focus();
}

function restore(conversation, reply, trouble) {
  dropPending(reply.client_key);
  const form = isOpen(conversation) ? composer() : null;
  const there = form ? written(form) : (drafts.get(conversation) ?? { text: "" });
  const earlier = returned.get(conversation);
  const typed = earlier && there.text.startsWith(earlier) ? there.text.slice(earlier.length).trimStart() : there.text;
  const text = earlier ? rejoined(earlier, reply.text) : reply.text;
  returned.set(conversation, text);
  // With the key of the first one: should it have arrived after all, the server says so instead of sending it twice.
  const values = { ...(earlier ? there : reply), text: rejoined(text, typed) };
  if (!form) return drafts.set(conversation, values);
  fill(form, values);
  keepDraft(form);
  const alert = form.querySelector("[data-trouble]");
  alert.querySelector("p").textContent = alert.dataset[trouble];
  alert.hidden = false;
}

// --- Parts of the page were replaced

document.addEventListener("htmx:afterSwap", () => {
  for (const bubble of document.querySelectorAll("[data-pending]")) {
    if (document.querySelector(`#thread [data-key="${CSS.escape(bubble.dataset.pending)}"]`)) bubble.remove();
  }
});
document.addEventListener("htmx:load", (event) => {
  if (event.detail.elt.id === "opened" || event.detail.elt.querySelector?.("#composer")) start();
});

start();
