// One connection for all that changes on a page. Fragments name their events: hx-trigger="sse:exchange".
import "./htmx.js";
import "htmx-ext-sse";

// A tab that nobody looks at holds no connection: a browser grants a server only six. On return it shows what is new at once.
const PATIENCE = 60_000;
let leaving;

document.addEventListener("visibilitychange", () => {
  clearTimeout(leaving);
  const holder = document.querySelector("[sse-connect]");
  if (!holder) return;
  if (document.hidden) {
    leaving = setTimeout(() => {
      holder.dataset.asleep = "true";
      window.htmx.trigger(holder, "htmx:sseClose", { type: "hidden" });
      holder["htmx-internal-data"]?.sseEventSource?.close();
    }, PATIENCE);
  } else if (holder.dataset.asleep) {
    window.location.reload();
  }
});

document.addEventListener("htmx:sseOpen", () => document.body.classList.remove("is-offline"));
document.addEventListener("htmx:sseError", () => document.body.classList.add("is-offline"));
