// What changes while a page is open. One connection tells the names of what happens; the parts that show it are stale then, and one
// request fetches the page anew for all of them. Only what differs is changed, so the focus, an open table and the place in a list stay.
//
// <div id="newest" data-live="exchange order" data-href="/home">    a part, the names that it hears, and the page that has it
// data-every="60"                                                   it is also stale after so many seconds
// data-pending, on a part or within it                              it shows something that is about to change
//
// Nothing that a person has begun is taken away: while somebody types in a part, has chosen text in it or has one of its questions
// open, it waits, and is fetched as soon as it is left.
import { Idiomorph } from "idiomorph";

const GATHER = 50; // milliseconds: what becomes stale together is fetched together
const LONGEST = 20_000; // for one request
const AGAIN = [1_000, 2_000, 5_000, 10_000, 20_000]; // after a failure, and the last of them from then on
const PATIENCE = 60_000; // a tab that nobody looks at holds no connection: a browser grants a server only six
const ANYTHING = "anything";
const ENDED = "session-ended";
const TYPED = "input:not([type=hidden], [type=submit], [type=button]), select, textarea";

const stale = new Set();
const running = new Set();
const since = new WeakMap(); // when a part was fetched
let gathering;
let failures = 0;
let isOver = false;

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
    for (const href of new Set([...stale].map((part) => part.dataset.href))) renew(href);
  }, GATHER);
}

/** Fetches a page for those of its parts that are stale and that nobody uses. Whatever keeps it from that looks again later. */
async function renew(href) {
  const wanted = [...stale].filter((part) => part.dataset.href === href && part.isConnected && !isInUse(part));
  if (isOver || document.hidden || wanted.length === 0 || running.has(href)) return;
  running.add(href);
  for (const part of wanted) stale.delete(part);
  const fresh = await fetched(href);
  running.delete(href);
  if (isOver) return;
  if (fresh === undefined) {
    for (const part of wanted) stale.add(part);
    setTimeout(look, AGAIN[Math.min(failures++, AGAIN.length - 1)], () => false);
    return;
  }
  failures = 0;
  if (fresh !== null) for (const part of wanted) take(part, fresh.getElementById(part.id));
  if (stale.size > 0) look(() => false); // what became stale meanwhile
}

/** The page as it is now; null if it is there no more, and undefined if nobody knows. */
async function fetched(href) {
  try {
    const answer = await fetch(href, { headers: { "X-Part": "yes" }, signal: AbortSignal.timeout(LONGEST) });
    if (answer.status === 401) return end("session");
    if (answer.status === 429 || answer.status >= 500) return say("gateway");
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (answer.ok && page.body.dataset.seat !== document.body.dataset.seat) return end("seat");
    say();
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

/** Says how the connection is, and takes it back when all is well. The sentences stand in the page. */
function say(trouble) {
  for (const one of document.querySelectorAll("[data-trouble]")) {
    if (one.dataset.trouble !== trouble) one.replaceChildren();
    else if (one.childElementCount === 0) one.append(one.nextElementSibling.content.cloneNode(true)); // a reader tells what appears
  }
}

/** The page can show nothing new: its session has ended, or is another seat's. Where nothing was begun, it makes way by itself. */
function end(trouble) {
  isOver = true;
  source?.close();
  if (trouble === "session" && !isInUse(document.body)) window.location.reload();
  else say(trouble);
}

// -------------------------------------------------------------------- the connection

let source;
let leaving;
let wasOpen = false;
let tries = 0;

/** Whether a part shows something that is about to change: it may have changed before the connection was there. */
const isPending = (part) => part.matches("[data-pending]") || part.querySelector("[data-pending]") !== null;

function connect() {
  source = new EventSource("/live");
  source.onopen = () => {
    tries = 0;
    say();
    look(wasOpen ? undefined : isPending); // what happened while there was no connection, nobody tells
    wasOpen = true;
  };
  source.onmessage = ({ data }) => {
    const names = new Set(data.split(" "));
    if (names.has(ENDED)) end("session");
    else look((part) => names.has(ANYTHING) || part.dataset.live.split(" ").some((name) => names.has(name)));
  };
  source.onerror = () => {
    if (isOver) return;
    say("connection");
    if (source.readyState !== EventSource.CLOSED) return; // the browser connects again by itself
    setTimeout(connect, AGAIN[Math.min(tries++, AGAIN.length - 1)]);
    look(); // perhaps the session has ended
  };
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
    if (isOver) return;
    if (document.hidden) leaving = setTimeout(() => source.close(), PATIENCE);
    else if (source.readyState === EventSource.CLOSED) connect();
    else look(() => false);
  });
  window.addEventListener("pagehide", () => source.close()); // or the browser complains of a broken connection
  window.addEventListener("pageshow", (event) => event.persisted && connect());
}

// A page that could not be shown for now tries again by itself.
const again = document.querySelector("[data-again]");
if (again) {
  setInterval(async () => {
    const answer = await fetch(again.href, { headers: { "X-Part": "yes" } }).catch(() => undefined);
    if (answer?.ok) window.location.replace(again.href);
  }, AGAIN[2]);
}
