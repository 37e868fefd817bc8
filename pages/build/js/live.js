// What changes while a page is open. One connection tells the names of what happens; the parts that show it are stale then, and one
// request fetches the page anew for all of them. Only what differs is changed, so the focus, an open table and the place in a list stay.
//
// <div id="newest" data-live="exchange order" data-href="/home">    a part, the names that it hears, and the page that has it
// data-every="60"                                                   it is also stale after so many seconds
// data-pending, on a part or within it                              it shows something that is about to change
//
// Nothing that a person has begun is taken away: while somebody types in a part, has chosen text in it or has one of its questions
// open, it waits, and is fetched as soon as it is left.
//
// Every fetch also tells whether the page still has its session and its seat. A page without parts fetches itself for that when it is
// seen again, or cannot connect: its person hears it before sending something.
import { Idiomorph } from "idiomorph";

const GATHER = 50; // milliseconds: what becomes stale together is fetched together
const LONGEST = 20_000; // for one request
const AGAIN = [1_000, 2_000, 5_000, 10_000, 20_000]; // after a failure, and the last of them from then on
const PATIENCE = 60_000; // a tab that nobody looks at holds no connection: a browser grants a server only six
const ANYTHING = "anything";
const ENDED = "session-ended";
const WORST = ["session", "seat", "gateway", "connection"]; // the first of these that there is, is said
const TYPED = "input:not([type=hidden], [type=submit], [type=button]), select, textarea";

const stale = new Set();
const running = new Set();
const since = new WeakMap(); // when a part was fetched
let gathering;
let retrying;
let failures = 0;
let isOver = false;
let isUnsure = false; // whether the page still has its session and its seat

const parts = () => [...document.querySelectorAll("[data-live]")];

// -------------------------------------------------------------------- what somebody has begun

function isChanged(field) {
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  if (field.tagName !== "SELECT") return field.value !== field.defaultValue;
  const offered = [...field.options].filter((one) => one.defaultSelected);
  if (offered.length === 0) return field.selectedIndex > 0;
  return [...field.options].some((one) => one.selected !== one.defaultSelected);
}

/** Whether somebody is about to do something here. What stands in a question that was closed again was given up. */
function isInUse(place) {
  const { activeElement: active } = document;
  if (place.querySelector("dialog.ask[open], form.is-busy, .has-error, .error-summary")) return true;
  if (place.contains(active) && active.matches(TYPED)) return true;
  const chosen = window.getSelection();
  if (chosen && !chosen.isCollapsed && chosen.containsNode(place, true)) return true;
  return [...place.querySelectorAll(TYPED)].some((field) => !field.closest("dialog:not([open])") && isChanged(field));
}

// -------------------------------------------------------------------- fetching

function look(wanted = () => true) {
  for (const part of parts()) if (wanted(part)) stale.add(part);
  gathering ??= setTimeout(() => {
    gathering = undefined;
    const pages = new Set([...stale].map((part) => part.dataset.href));
    if (isUnsure && pages.size === 0) pages.add(window.location.pathname + window.location.search);
    for (const href of pages) renew(href);
  }, GATHER);
}

/** Fetches a page for those of its parts that are stale and that nobody uses. Whatever keeps it from that looks again later. */
async function renew(href) {
  const wanted = [...stale].filter((part) => part.dataset.href === href && part.isConnected && !isInUse(part));
  if (isOver || document.hidden || running.has(href) || (wanted.length === 0 && !isUnsure)) return;
  running.add(href);
  for (const part of wanted) stale.delete(part);
  const fresh = await fetched(href);
  running.delete(href);
  if (isOver) return;
  if (fresh === undefined) {
    for (const part of wanted) stale.add(part);
    clearTimeout(retrying);
    retrying = setTimeout(look, AGAIN[Math.min(failures++, AGAIN.length - 1)], () => false);
    return;
  }
  failures = 0;
  isUnsure = false;
  if (fresh !== null) for (const part of wanted) take(part, fresh.getElementById(part.id));
  if (stale.size > 0) look(() => false); // what became stale meanwhile
}

/** The page as it is now; null if it is there no more, and undefined if nobody knows. */
async function fetched(href) {
  try {
    const answer = await fetch(href, { headers: { "X-Part": "yes" }, signal: AbortSignal.timeout(LONGEST) });
    if (answer.status === 401) return end("session");
    if (answer.status === 403) return end("seat"); // the page was there, so it is not for the seat that the session has now
    if (answer.status === 429 || answer.status >= 500) return say("gateway");
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (answer.ok && page.body.dataset.seat !== document.body.dataset.seat) return end("seat");
    say("gateway", false);
    return answer.ok ? page : null;
  } catch {
    return say("gateway");
  }
}

function take(part, fresh) {
  if (!part.isConnected) return;
  if (isInUse(part)) {
    stale.add(part); // somebody has begun meanwhile
    return;
  }
  since.set(part, performance.now());
  if (!fresh) {
    part.replaceChildren();
    return;
  }
  for (const name of ["live", "every", "pending"]) {
    if (name in fresh.dataset) part.dataset[name] = fresh.dataset[name];
    else delete part.dataset[name];
  }
  part.dispatchEvent(new Event("live:before", { bubbles: true }));
  Idiomorph.morph(part, [...fresh.childNodes], {
    morphStyle: "innerHTML",
    callbacks: {
      beforeAttributeUpdated: (name, node) => !(name === "open" && node.matches("details")), // as the person has left it
      beforeNodeMorphed: (node) => !node.classList?.contains("chart-canvas"), // a chart is drawn anew, not taken away
    },
  });
  part.dispatchEvent(new Event("live:after", { bubbles: true }));
}

// -------------------------------------------------------------------- what a person is told

const troubles = new Set();

/** Says the worst of what is wrong, or takes one trouble back: whoever has found it is whoever can. The sentences stand in the page. */
function say(trouble, isSo = true) {
  if (isSo) troubles.add(trouble);
  else troubles.delete(trouble);
  const worst = WORST.find((one) => troubles.has(one));
  for (const one of document.querySelectorAll("[data-trouble]")) {
    if (one.dataset.trouble !== worst) one.replaceChildren();
    else if (one.childElementCount === 0) one.append(one.nextElementSibling.content.cloneNode(true)); // a reader tells what appears
  }
}

/** The page can show nothing new: its session has ended, or is another seat's. It makes way by itself where nothing would be lost:
 *  nothing was begun, and it is no answer to a form, which may show what is shown only once (and which a browser sends again). */
function end(trouble) {
  isOver = true;
  disconnect();
  const isAnswer = document.body.dataset.answer !== undefined;
  if (trouble === "session" && !isAnswer && !isInUse(document.body)) window.location.reload();
  else say(trouble);
}

// -------------------------------------------------------------------- the connection

let source;
let leaving;
let connecting;
let hasMissed = document.hidden; // whether something may have happened that this page was not told of
let tries = 0;

/** Whether a part shows something that is about to change: it may have changed before the connection was there. */
const isPending = (part) => part.matches("[data-pending]") || part.querySelector("[data-pending]") !== null;

function disconnect() {
  clearTimeout(connecting);
  source?.close();
  source = undefined;
}

/** Connects anew. There is one connection at most, and none for a page that nobody sees: it connects when it is seen. */
function connect() {
  disconnect();
  if (isOver || document.hidden) return;
  source = new EventSource(document.body.dataset.source);
  source.onopen = () => {
    tries = 0;
    say("connection", false);
    isUnsure ||= hasMissed;
    look(hasMissed ? undefined : isPending); // what happened while there was no connection, nobody tells
    hasMissed = true;
  };
  source.onmessage = ({ data }) => {
    const names = new Set(data.split(" "));
    if (names.has(ENDED)) end("session");
    else look((part) => names.has(ANYTHING) || part.dataset.live.split(" ").some((name) => names.has(name)));
  };
  source.onerror = () => {
    say("connection");
    if (source.readyState !== EventSource.CLOSED) return; // the browser connects again by itself
    source = undefined;
    connecting = setTimeout(connect, AGAIN[Math.min(tries++, AGAIN.length - 1)]);
    isUnsure = true; // perhaps the session has ended
    look();
  };
}

/** Somebody sees the page again. */
function resume() {
  if (isOver) return;
  isUnsure = true;
  if (source === undefined) connect(); // which looks as soon as it knows
  else look(() => false);
}

if (document.body.dataset.seat !== undefined) {
  connect();
  for (const part of parts()) since.set(part, performance.now());
  setInterval(() => {
    const now = performance.now();
    const due = new Set(parts().filter((part) => part.dataset.every && now - since.get(part) >= 1_000 * part.dataset.every));
    for (const part of due) since.set(part, now);
    if (due.size > 0) look((part) => due.has(part));
  }, 1_000);
  // A part is left: the focus goes elsewhere, a question is closed, nothing is chosen or changed any more.
  for (const name of ["focusout", "close", "selectionchange", "change", "reset"]) {
    document.addEventListener(name, () => stale.size > 0 && failures === 0 && look(() => false), true);
  }
  document.addEventListener("visibilitychange", () => {
    clearTimeout(leaving);
    if (document.hidden) leaving = setTimeout(disconnect, PATIENCE);
    else resume();
  });
  window.addEventListener("pagehide", disconnect); // or the browser complains of a broken connection
  window.addEventListener("pageshow", (event) => event.persisted && resume());
}

// A page that could not be shown for now tries again by itself.
const again = document.querySelector("[data-again]");
if (again) {
  setInterval(async () => {
    const answer = await fetch(again.href, { headers: { "X-Part": "yes" } }).catch(() => undefined);
    if (answer?.ok) window.location.replace(again.href);
  }, AGAIN[2]);
}
