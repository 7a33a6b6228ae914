// Sending: the bubble is there at once, the text is never lost, and one press is one message.
//
// A reply leaves the composer the moment it is sent, under a key of its own, so the next one can be typed while the
// first is on its way. Replies are posted one after the other, in the order they were written, and go on being posted
// when another conversation is opened meanwhile.

// What was typed here, by conversation, until a page is asked for that must have it: a page on its way while a draft
// is being saved was made without it.
const drafts = new Map();
// The conversations whose draft the server has.
const kept = new Set();
// The composer in which it was typed, which may have left the page since.
const forms = new Map();
// What came back unsent, by conversation: what was written after it must not overtake it.
const returned = new Map();
// What was sent and is not answered yet; the first may have begun.
const sending = [];
let line = Promise.resolve();

const FIELDS = ["text", "price", "media_urls", "send_at", "priority", "client_key"];
const PAUSE = 1000;

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
  const { lang } = document.documentElement;
  shown.value = `${used.toLocaleString(lang)} / ${limit.toLocaleString(lang)}`;
  shown.classList.toggle("near", used > limit * 0.8);
  shown.classList.toggle("over", used > limit);
  text.setCustomValidity(used > limit ? form.dataset.tooLong : "");
}

function written(form) {
  const draft = {};
  for (const name of FIELDS) draft[name] = form.elements[name];
  for (const name of Object.keys(draft)) draft[name] = draft[name].value;
  return draft;
}

// Kept here at once and on the server when the typing pauses. Requests go one at a time, so that none passes another.
let saving = Promise.resolve();
const timers = new Map();

function keepDraft(form) {
  const { conversation } = form.dataset;
  remember(form, written(form));
  clearTimeout(timers.get(conversation));
  timers.set(conversation, setTimeout(() => saveDraft(form), PAUSE));
}

function remember(form, draft) {
  const { conversation } = form.dataset;
  drafts.set(conversation, draft);
  forms.set(conversation, form);
  kept.delete(conversation);
}

function saveDraft(form, { leaving = false } = {}) {
  const { conversation } = form.dataset;
  clearTimeout(timers.get(conversation));
  const draft = drafts.get(conversation);
  if (!draft || kept.has(conversation)) return saving;
  const save = async () => {
    const response = await ask(form.dataset.draft, draft, { keepalive: leaving, token: form.elements.csrfmiddlewaretoken.value });
    if (response.ok && drafts.get(conversation) === draft) kept.add(conversation);
    tellDraft(form, response.ok ? "kept" : "lost");
  };
  saving = leaving ? save() : saving.then(save);
  saving = saving.catch(() => tellDraft(form, "lost"));
  return saving;
}

function tellDraft(form, outcome) {
  const state = form.querySelector(".draft-state");
  state.textContent = outcome ? state.dataset[outcome] : "";
}

function ask(address, values, { keepalive = false, token, signal } = {}) {
  const body = new FormData();
  for (const [name, value] of Object.entries(values)) body.append(name, value);
  return fetch(address, {
    method: "POST",
    // The cookie is fresher than the form after a new sign-in in another tab.
    headers: {
      "HX-Request": "true",
      "X-CSRFToken": document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1] ?? token,
    },
    body,
    // Browsers allow it for small bodies only.
    keepalive: keepalive && (values.text ?? "").length + (values.media_urls ?? "").length < 10_000,
    signal,
  });
}

addEventListener("pagehide", () => {
  for (const form of forms.values()) if (!isSending(form)) saveDraft(form, { leaving: true });
  for (const form of new Set(sending.map((each) => each.form))) keepUnsent(form);
});

const isSending = (form) => sending.some((each) => each.form.dataset.conversation === form.dataset.conversation);

// Nobody will hear what became of it. A message that arrives retires the draft that has its key, so what may still arrive
// and what was written after it never share one.
function keepUnsent(form) {
  const { conversation } = form.dataset;
  const own = sending.filter((each) => each.form.dataset.conversation === conversation);
  const typed = drafts.get(conversation);
  const later = own.filter((each) => !each.hasBegun).map((each) => each.reply);
  if (typed?.text.trim()) later.push(typed);
  const draft = later.length ? { ...later[0], text: later.map((each) => each.text).join("\n\n") } : own[0].reply;
  ask(form.dataset.draft, draft, { keepalive: true, token: own[0].reply.csrfmiddlewaretoken }).catch(() => {});
}

addEventListener("beforeunload", (event) => {
  const isLost = (conversation) => returned.has(conversation) && !kept.has(conversation);
  if ([...drafts.keys()].some(isLost)) event.preventDefault();
});

function fill(form, values) {
  for (const name of FIELDS) form.elements[name].value = values[name] ?? "";
  if (!form.elements.priority.value) form.elements.priority.selectedIndex = 0;
  if (values.price || values.media_urls || values.send_at) form.querySelector("details").open = true;
  count(form);
}

function empty(form) {
  fill(form, { client_key: newKey() });
  form.querySelector("details").open = false;
  for (const error of form.querySelectorAll(".errorlist, .alert:not([data-trouble])")) error.remove();
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
  form.querySelector("[data-trouble]").hidden = true;
  clearTimeout(timers.get(form.dataset.conversation));
  tellDraft(form, "");
  forget(form.dataset.conversation);
}

function forget(conversation) {
  drafts.delete(conversation);
  forms.delete(conversation);
  kept.delete(conversation);
}

document.addEventListener("htmx:beforeRequest", (event) => {
  const link = event.detail.elt.closest("[data-opens]");
  if (!link) return;
  for (const conversation of kept) if (link.pathname.endsWith(`/${conversation}`)) forget(conversation);
});

function start() {
  const form = composer();
  if (!form) return;
  unsentNotice(form.dataset.conversation)?.remove();
  const draft = drafts.get(form.dataset.conversation);
  if (draft) fill(form, draft);
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

const TROUBLES = { 401: "signedOut", 409: "answered" };

document.addEventListener("submit", (event) => {
  const form = event.target.closest("#composer");
  if (!form) return;
  if (event.submitter?.formAction.endsWith("/draft")) return;
  event.preventDefault();
  const reply = Object.fromEntries(new FormData(form, event.submitter));
  const conversation = form.dataset.conversation;
  returned.delete(conversation);
  showPending(reply);
  empty(form);
  form.elements.text.focus();
  const sent = { form, reply, hasBegun: false };
  sending.push(sent);
  line = line
    .then(() => post(sent))
    .catch(() => restore(form, reply, "unreachable"))
    .finally(() => sending.splice(sending.indexOf(sent), 1));
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

async function post(sent) {
  const { form, reply } = sent;
  const { conversation } = form.dataset;
  if (returned.has(conversation)) return restore(form, reply, "unreachable");
  sent.hasBegun = true;
  const { csrfmiddlewaretoken: token, ...values } = reply;
  values.from = (isOpen(conversation) && document.getElementById("thread-start")?.value) || "";
  // Closing the tab right after pressing Send still sends.
  const response = await ask(form.action, values, { keepalive: true, token, signal: AbortSignal.timeout(20_000) });
  const answer = await response.text();
  if (response.ok) {
    showThread(conversation, answer, Number(response.headers.get("Huntaze-Seq")));
    dropPending(reply.client_key);
  } else if (response.status === 400 && isOpen(conversation)) {
    showErrors(answer);
    dropPending(reply.client_key);
  } else if (response.status === 409 && isOpen(conversation)) {
    showThread(conversation, answer, Number(response.headers.get("Huntaze-Seq")));
    showErrors(answer);
    dropPending(reply.client_key);
    returned.set(conversation, reply.text);
  } else {
    restore(form, reply, TROUBLES[response.status] ?? (response.status >= 500 ? "unreachable" : "refused"));
  }
}

function showThread(conversation, html, seq) {
  const thread = document.getElementById("thread");
  if (thread?.dataset.conversation !== conversation || seq < Number(thread.dataset.seq)) return;
  const answer = new DOMParser().parseFromString(html, "text/html").getElementById("thread");
  htmx.swap(thread, answer.outerHTML, { swapStyle: "morph:outerHTML" }, { contextElement: thread });
}

// Whatever was typed while the answer was on its way stays, below what has to be corrected.
function rejoined(first, second) {
  return second.trim() ? `${first}\n\n${second}` : first;
}

function showErrors(html) {
  showComposer(html, composer().elements.text.value);
  const form = composer();
  keepDraft(form);
  (form.querySelector("[aria-invalid]") ?? form.elements.text).focus();
}

function showComposer(html, typed = "") {
  composer().replaceWith(new DOMParser().parseFromString(html, "text/html").getElementById("composer"));
  const form = composer();
  form.elements.text.value = rejoined(form.elements.text.value, typed);
  count(form);
}

function restore(sender, reply, trouble) {
  const { conversation } = sender.dataset;
  dropPending(reply.client_key);
  const form = isOpen(conversation) ? composer() : null;
  const there = form ? written(form) : (drafts.get(conversation) ?? { text: "" });
  const earlier = returned.get(conversation);
  const typed = earlier && there.text.startsWith(earlier) ? there.text.slice(earlier.length).trimStart() : there.text;
  const text = earlier ? rejoined(earlier, reply.text) : reply.text;
  returned.set(conversation, text);
  // With the key of the first one: should it have arrived after all, the server says so instead of sending it twice.
  const values = { ...(earlier ? there : reply), text: rejoined(text, typed) };
  if (!form) {
    remember(sender, values);
    saveDraft(sender);
    return tellUnsent(sender);
  }
  fill(form, values);
  keepDraft(form);
  complain(form, trouble);
}

const unsentNotice = (conversation) => document.querySelector(`[data-unsent="${CSS.escape(conversation)}"]`);

// Whoever wrote it looks at something else by now.
function tellUnsent(form) {
  const { conversation, fan } = form.dataset;
  if (unsentNotice(conversation)) return;
  const notice = document.getElementById("unsent-notice").content.firstElementChild.cloneNode(true);
  notice.dataset.unsent = conversation;
  const link = notice.querySelector("a");
  link.href = form.action;
  link.textContent = fan;
  document.getElementById("unsent").append(notice);
}

document.addEventListener("click", (event) => event.target.closest("[data-unsent-close]")?.closest("[data-unsent]").remove());

function complain(form, trouble) {
  const alert = form.querySelector("[data-trouble]");
  alert.querySelector("p").textContent = alert.dataset[trouble];
  alert.hidden = false;
}

// --- Taking back: the server joins the text with what was typed since, so it must have that first

document.addEventListener(
  "submit",
  async (event) => {
    const button = event.submitter;
    if (button?.value !== "undo" || !composer()) return;
    event.preventDefault();
    event.stopPropagation();
    const form = event.target;
    const conversation = composer().dataset.conversation;
    button.disabled = true;
    await saveDraft(composer());
    const token = form.elements.csrfmiddlewaretoken.value;
    const response = await ask(form.action, { act: "undo" }, { token }).catch(() => null);
    if (!isOpen(conversation)) return;
    if (!response?.ok) {
      button.disabled = false;
      return complain(composer(), "unreachable");
    }
    const html = await response.text();
    const bubble = form.closest(".message").id;
    showThread(conversation, html, Number(response.headers.get("Huntaze-Seq")));
    showComposer(html);
    if (!document.getElementById(bubble)?.classList.contains("cancelled")) complain(composer(), "late");
    composer().elements.text.focus();
  },
  true,
);

// The button goes when its time is over; until then it says how long it has.
function countDown() {
  for (const button of document.querySelectorAll("[data-undo]")) {
    button.until ??= performance.now() + button.dataset.seconds * 1000;
    const left = Math.ceil((button.until - performance.now()) / 1000);
    button.dataset.left = left;
    if (left <= 0) button.closest("form").hidden = true;
  }
}
setInterval(countDown, 250);

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
