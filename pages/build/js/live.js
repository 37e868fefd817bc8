// One connection for all that changes on a page. Fragments name their events: hx-trigger="sse:exchange, refresh".
import "./htmx.js";
import "htmx-ext-sse";

// A tab that nobody looks at holds no connection: a browser grants a server only six. On return it shows what is new at once.
const PATIENCE = 60_000;
let leaving;
let wasOpen = false;

const holder = () => document.querySelector("[sse-connect]");

function refresh(isWanted = () => true) {
  for (const part of document.querySelectorAll("[data-live]")) if (isWanted(part)) window.htmx.trigger(part, "refresh");
}

/** Whether a part shows something that is about to change: it may have changed before the connection was there. */
const isPending = (part) => part.matches("[data-pending]") || part.querySelector("[data-pending]") !== null;

function fallAsleep() {
  holder()?.["htmx-internal-data"]?.sseEventSource?.close();
  document.body.dataset.asleep = "true";
}

function wakeUp() {
  delete document.body.dataset.asleep;
  for (const part of [holder(), ...document.querySelectorAll("[data-live]")]) {
    window.htmx.trigger(part, "htmx:afterProcessNode"); // has the extension connect it again
  }
}

document.addEventListener("visibilitychange", () => {
  clearTimeout(leaving);
  if (!holder()) return;
  if (document.hidden) leaving = setTimeout(fallAsleep, PATIENCE);
  else if (document.body.dataset.asleep) wakeUp();
});

// What happened while there was no connection, nobody tells: look.
document.addEventListener("htmx:sseOpen", () => {
  document.body.classList.remove("is-offline");
  refresh(wasOpen ? undefined : isPending);
  wasOpen = true;
});
document.addEventListener("htmx:sseError", () => document.body.classList.add("is-offline"));
