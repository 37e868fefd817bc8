// htmx without whatever a strict Content-Security-Policy forbids: no eval, no inline style, no page kept in the browser's storage.
import htmx from "htmx.org";

window.htmx = htmx; // where its extensions look for it
Object.assign(htmx.config, {
  allowEval: false,
  allowScriptTags: false,
  includeIndicatorStyles: false,
  historyCacheSize: 0,
  refreshOnHistoryMiss: true,
  selfRequestsOnly: true,
  scrollBehavior: "auto",
  timeout: 30_000,
});
// A refused form is answered with its sentences: show them.
htmx.config.responseHandling = [
  { code: "204", swap: false },
  { code: "[23]..", swap: true },
  { code: "422", swap: true },
  { code: "[45]..", swap: false, error: true },
];

export default htmx;
