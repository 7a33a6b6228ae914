// The page follows the ledger: while somebody can see it, it asks whether anything is newer than what it shows.
//
// Every part marked data-live says as of which change (data-seq) it was made, and what else it was made from (data-stamp).
// The question names both, so an answer that got lost, or hours of sleep, lose nothing: the parts still say how old they
// are. A stale part is fetched as a whole, so nothing is shown twice.

const PERIOD = 2000;
const SLOWEST = 30_000;
const PATIENCE = 15_000;
const canHover = matchMedia("(hover: hover)");

let timer;
let question; // the one that is under way
let failures = 0;
let overList = false;
let anchor = null;

const thread = () => document.getElementById("thread");
const scroller = () => document.getElementById("scroller");
const isScrolledUp = () => (scroller()?.scrollTop ?? 0) < -48;

const parts = () => Array.from(document.querySelectorAll("[data-live]"));

async function ask() {
  clearTimeout(timer);
  // One that has not been answered by now may be of before a sleep.
  question?.abort();
  if (document.hidden) return;
  const asking = new AbortController();
  question = asking;
  const overdue = setTimeout(() => asking.abort(), PATIENCE);
  const status = await look(asking.signal).catch(() => 0);
  clearTimeout(overdue);
  if (question !== asking || document.hidden) return;
  noteAnswer(status);
  clearTimeout(timer);
  timer = setTimeout(ask, Math.min(PERIOD * 2 ** failures, SLOWEST));
}

async function look(signal) {
  const shown = parts();
  if (!shown.length) return 304;
  const after = Math.min(...shown.map((part) => part.dataset.seq));
  const stamps = new Set(shown.map((part) => part.dataset.stamp));
  const headers = { "HX-Request": "true" };
  if (stamps.size === 1) headers["If-None-Match"] = `W/"${[...stamps][0]}"`;
  const response = await fetch(`${document.querySelector(".panes").dataset.changes}&after=${after}`, { headers, signal });
  if (response.status !== 200) return response.status;
  const { after: latest } = await response.json();
  refresh((part) => Number(part.dataset.seq) < latest || `W/"${part.dataset.stamp}"` !== response.headers.get("ETag"));
  return response.status;
}

function refresh(isStale = () => true) {
  for (const part of parts()) {
    if (isStale(part) && !part.classList.contains("htmx-request")) htmx.trigger(part, "refresh");
  }
}

function tellSeen() {
  const form = document.getElementById("mark-read");
  if (form && !document.hidden && !form.classList.contains("htmx-request")) htmx.trigger(form, "seen");
}

document.addEventListener("visibilitychange", () => {
  ask();
  tellSeen();
});
addEventListener("online", ask);
addEventListener("pageshow", (event) => event.persisted && ask());
document.addEventListener("htmx:load", tellSeen);

// --- Answers that came too late, or to a question nobody asks any more, are dropped

document.addEventListener("htmx:beforeSwap", (event) => {
  const { target, xhr, requestConfig } = event.detail;
  if (target.id === "list" && requestConfig.elt === target && overList) return holdOrder(event);
  if (target.id !== "thread") return;
  const isOlderPage = requestConfig.elt.id === "older";
  const askedFrom = new URL(requestConfig.path, location.href).searchParams.get("from");
  const isLate = Number(xhr.getResponseHeader("Huntaze-Seq")) < Number(target.dataset.seq);
  const isOfAnotherStretch = askedFrom !== (document.getElementById("thread-start")?.value ?? null);
  if (isLate || (!isOlderPage && isOfAnotherStretch)) event.detail.shouldSwap = false;
});

// A conversation that is open no more hears its answer alone: what is taken out of a page tells the page nothing.
document.addEventListener("htmx:beforeRequest", ({ target, detail }) => {
  if (detail.target.id === "thread") target.addEventListener("htmx:beforeOnLoad", dropWhenGone);
});

function dropWhenGone(event) {
  if (!event.target.isConnected) event.preventDefault();
}

// The buttons above a thread come with it: those of the conversation that was open before are no news.
document.addEventListener("htmx:oobBeforeSwap", (event) => {
  const { target, fragment } = event.detail;
  const incoming = fragment.querySelector("[data-handles]") ?? fragment;
  if (target.dataset.handles !== incoming.dataset?.handles) event.detail.shouldSwap = false;
});

// --- The row under the pointer does not move: rows change in place, the new order waits

function holdOrder(event) {
  const incoming = new DOMParser().parseFromString(event.detail.serverResponse, "text/html").getElementById("list");
  const order = (list) => Array.from(list.querySelectorAll(".row"), (row) => row.id).join();
  if (!incoming || order(incoming) === order(event.detail.target)) return;
  event.detail.shouldSwap = false;
  for (const row of incoming.querySelectorAll(".row")) {
    const shown = document.getElementById(row.id);
    if (!shown) continue;
    Idiomorph.morph(shown, row.outerHTML);
    htmx.process(shown);
  }
  tellHeld(incoming, event.detail.target);
}

// Those that came up or in: what stands before them in the new order did not in the old one.
function tellHeld(incoming, shown) {
  const order = Array.from(shown.querySelectorAll(".row"), (row) => row.id);
  let highest = Infinity;
  let held = 0;
  for (const row of Array.from(incoming.querySelectorAll(".row")).reverse()) {
    const place = order.indexOf(row.id);
    if (place === -1 || place > highest) held += 1;
    else highest = place;
  }
  const button = document.getElementById("list-held");
  button.hidden = false;
  button.querySelector("span").textContent = button.dataset.words.replace("%d", Math.max(held, 1));
}

function releaseOrder() {
  overList = false;
  const held = document.getElementById("list-held");
  if (!held || held.hidden) return;
  held.hidden = true;
  refresh();
}

document.addEventListener("pointerover", (event) => {
  const isOver = canHover.matches && Boolean(event.target.closest?.(".list-rows"));
  if (isOver) overList = true;
  else if (overList) releaseOrder();
});
document.documentElement.addEventListener("pointerleave", releaseOrder);

// --- What is being read stays where it is; what is new is said once

document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target.id !== "thread" || !event.detail.shouldSwap) return;
  const top = scroller().getBoundingClientRect().top;
  const message = Array.from(thread().querySelectorAll(".message")).find(
    (candidate) => candidate.getBoundingClientRect().bottom > top,
  );
  const isOlderPage = event.detail.requestConfig.elt.id === "older";
  const keep = message && (isScrolledUp() || isOlderPage);
  anchor = {
    id: keep ? message.id : "",
    top: message?.getBoundingClientRect().top,
    conversation: thread().dataset.conversation,
    newest: isOlderPage ? null : newestIn(),
  };
});

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.target.id === "opened") return opened(event);
  if (!anchor || !thread() || anchor.conversation !== thread().dataset.conversation) return;
  const message = anchor.id && document.getElementById(anchor.id);
  if (message) scroller().scrollTop += message.getBoundingClientRect().top - anchor.top;
  if (anchor.newest !== null) sayNew(anchor.newest);
  anchor = null;
});

const incomingMessages = () => Array.from(thread().querySelectorAll(".message.in"));
const newestIn = () => incomingMessages().at(-1)?.id ?? "";

function sayNew(last) {
  const messages = incomingMessages();
  const fresh = messages.slice(messages.findIndex((message) => message.id === last) + 1);
  for (const message of fresh) {
    const line = document.createElement("p");
    line.setAttribute("lang", "");
    line.textContent = message.querySelector(".bubble").textContent.replace(/\s+/g, " ").trim();
    document.getElementById("said").append(line);
  }
  if (fresh.length && isScrolledUp()) document.getElementById("to-newest").hidden = false;
}

document.addEventListener("click", (event) => {
  if (event.target.closest("#list-held")) releaseOrder();
  if (event.target.closest("#to-newest")) scroller().scrollTop = 0;
  if (event.target.closest("[data-done]")) {
    document.getElementById("done").replaceChildren();
    toRow();
  }
});
document.addEventListener(
  "scroll",
  (event) => {
    if (event.target.id === "scroller" && !isScrolledUp()) document.getElementById("to-newest").hidden = true;
  },
  true,
);

// --- Who else is here: said, and asked, at most every 15 s, while somebody looks

const BEAT = 15_000;
let typedAt = -Infinity;

function beat() {
  const beside = document.querySelector("[data-beat]");
  if (!beside || document.hidden) return;
  htmx.ajax("POST", beside.dataset.beat, {
    target: beside,
    swap: "innerHTML",
    values: { writing: performance.now() - typedAt < BEAT ? "1" : "" },
  });
}

document.addEventListener("input", (event) => {
  if (event.target.closest("#composer")) typedAt = performance.now();
});
setInterval(beat, BEAT);

// --- The card: beside the thread where there is room, else over it

const card = () => document.getElementById("card");

function fillCard() {
  const body = document.getElementById("card-body");
  const waits = body?.querySelector("[data-card-waits]");
  if (!waits || !body.getClientRects().length) return;
  waits.removeAttribute("data-card-waits");
  htmx.ajax("GET", body.dataset.address, { target: body, swap: "innerHTML" });
}

function toggleCard(open) {
  const panes = document.querySelector(".panes");
  panes.classList.toggle("with-card", open);
  fillCard();
  if (panes.classList.contains("with-card")) card().focus();
  else document.querySelector("[data-card-toggle]")?.focus();
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-card-close]")) return toggleCard(false);
  if (!event.target.closest("[data-card-toggle]") || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  toggleCard();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && event.target.closest?.("#card") && document.querySelector(".with-card")) toggleCard(false);
});
addEventListener("resize", fillCard);

// --- Another conversation was opened in place

function opened(event) {
  document.querySelector(".panes").classList.remove("with-card");
  arrived();
  const composer = document.querySelector("#composer textarea");
  const hasList = Boolean(document.getElementById("list")?.offsetParent);
  const { verb, triggeringEvent } = event.detail.requestConfig;
  // Whoever closed one goes on in the list; whoever clicks wants to write; whoever moves by keyboard stays in the list; where
  // the list is gone, start at the top.
  if (!hasList) document.getElementById("thread-title")?.focus();
  else if (verb === "post") toRow();
  else if (composer && canHover.matches && triggeringEvent?.detail) composer.focus();
}

// What is open, or the view where nothing is.
function toRow() {
  const places = ["#list .row [aria-current]", "#thread-title", "#list .views [aria-current]"];
  places.map((place) => document.querySelector(place)).find((place) => place?.getClientRects().length)?.focus();
}

function arrived() {
  typedAt = -Infinity;
  beat();
  fillCard();
  document.querySelector(".message.hit")?.scrollIntoView({ block: "center" });
}
addEventListener("DOMContentLoaded", arrived);

// --- The connection

document.addEventListener("htmx:configRequest", (event) => {
  // The cookie is fresher than the form after a new sign-in in another tab.
  const cookie = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1];
  event.detail.headers["X-CSRFToken"] = cookie ?? document.querySelector("[name=csrfmiddlewaretoken]").value;
});

function tell(trouble) {
  const notice = document.getElementById("connection");
  if (!notice) return;
  notice.hidden = !trouble;
  notice.querySelector("a").hidden = trouble !== "signedOut";
  notice.querySelector("span").textContent = trouble ? notice.dataset[trouble] : "";
}

const isFine = (status) => status >= 200 && status < 400;

function noteAnswer(status) {
  failures = isFine(status) ? 0 : failures + 1;
  if (isFine(status)) tell("");
  else if (status === 401) tell("signedOut");
  else if (failures > 1) tell("lost");
}

document.addEventListener("htmx:afterRequest", (event) => {
  const { xhr, elt } = event.detail;
  noteAnswer(xhr.status);
  if (isFine(xhr.status) && elt.id === "mark-read") refresh();
});

timer = setTimeout(ask, PERIOD);
