// The form that checks a receipt in the browser. All its words come from the page; nothing is sent to the page's own server.
//
// <form data-receipt-check> has the fields rpc_url, contract and chain_id, and the receipt: as text in template[data-receipt], or as
// a file in input[type=file]. The steps go to [data-steps], each a copy of template[data-step]; the verdict is that child of
// [data-verdicts] which has its name. template[data-texts] has a sentence for each code, with {values} in braces.

import { checkReceipt } from "./check.mjs";
import { kindName } from "./receipt.mjs";

const STORE = "tongdui.receipt-check";
const REMEMBERED = ["rpc_url", "contract", "chain_id"];
const HASH = /^0x[0-9a-f]{40,}$/i;
const SIGNS = { passed: "is-done", noted: "is-noted", refused: "is-failed", undecided: "is-failed is-undecided" };

class ReceiptForm {
  #text = null;
  #run = 0;

  constructor(form) {
    this.form = form;
    this.texts = form.querySelector("template[data-texts]").content;
    this.#recall();
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#check();
    });
    form.querySelector("[data-usual]")?.addEventListener("click", () => this.#forget());
    const file = form.querySelector('input[type="file"]');
    if (file) this.#takeFiles(file);
    else this.#text = form.querySelector("template[data-receipt]").content.textContent;
  }

  // ---------------------------------------------------------------- the file

  #takeFiles(input) {
    const place = input.closest("[data-drop]") ?? this.form;
    input.addEventListener("change", () => this.#open(input.files));
    for (const kind of ["dragenter", "dragover"]) {
      place.addEventListener(kind, (event) => {
        event.preventDefault();
        place.classList.add("is-over");
      });
    }
    for (const kind of ["dragleave", "drop"]) place.addEventListener(kind, () => place.classList.remove("is-over"));
    place.addEventListener("drop", (event) => {
      event.preventDefault();
      this.#open(event.dataTransfer.files);
    });
  }

  async #open(files) {
    if (files.length === 0) return;
    const [file] = files;
    this.#show("file", file.name);
    this.#text = await file.text().catch(() => "");
    await this.#check();
  }

  // ---------------------------------------------------------------- what the person has chosen

  #field(name) {
    return this.form.elements.namedItem(name);
  }

  /** What differs from what the page offers is remembered, so that a new offer reaches everybody else. */
  #remember() {
    const chosen = REMEMBERED.map((name) => [name, this.#field(name)])
      .filter(([, field]) => field.value.trim() !== field.defaultValue)
      .map(([name, field]) => [name, field.value.trim()]);
    stored((store) => store.setItem(STORE, JSON.stringify(Object.fromEntries(chosen))));
  }

  #recall() {
    const chosen = stored((store) => JSON.parse(store.getItem(STORE) ?? "{}")) ?? {};
    for (const name of REMEMBERED) {
      if (typeof chosen[name] === "string") this.#field(name).value = chosen[name];
    }
  }

  #forget() {
    for (const name of REMEMBERED) this.#field(name).value = this.#field(name).defaultValue;
    stored((store) => store.removeItem(STORE));
  }

  // ---------------------------------------------------------------- checking

  async #check() {
    const run = ++this.#run; // an older check that is still on its way shows nothing any more
    const steps = this.form.querySelector("[data-steps]");
    steps.replaceChildren();
    this.#verdict(null);
    if (this.#text === null) {
      this.#verdict("no_file");
      this.form.querySelector('input[type="file"]').focus();
      return;
    }
    this.#remember();
    this.form.classList.add("is-busy");
    this.#verdict("running");
    const trusted = {
      rpcUrl: this.#field("rpc_url").value,
      contract: this.#field("contract").value,
      chainId: this.#field("chain_id").value,
    };
    try {
      const { verdict, receipt, programs } = await checkReceipt(this.#text, trusted, (step) => {
        if (run === this.#run) steps.append(this.#step(step));
      });
      if (run !== this.#run) return;
      this.#verdict(verdict);
      if (verdict === "valid") this.#says(receipt, programs);
    } catch (error) {
      if (run === this.#run) this.#verdict("broken");
      throw error;
    } finally {
      if (run === this.#run) this.form.classList.remove("is-busy");
    }
  }

  /** Show one of the verdicts that the page has, or none. */
  #verdict(name) {
    for (const one of this.form.querySelectorAll("[data-verdicts] > *")) one.hidden = one.dataset.verdict !== name;
    this.form.dataset.result = name ?? "";
    const facts = this.form.querySelector("[data-says]");
    if (facts) facts.hidden = true;
  }

  #step({ name, code, verdict, values }) {
    const item = this.form.querySelector("template[data-step]").content.firstElementChild.cloneNode(true);
    item.classList.add(...SIGNS[verdict].split(" "));
    item.dataset.code = code;
    item.querySelector("[data-sentence]").textContent = this.#sentence(code, values);
    const sign = item.querySelector("[data-sign]");
    if (sign) sign.textContent = this.#word(verdict);
    const raw = item.querySelector("dl");
    for (const [key, value] of Object.entries({ check: name, code, ...values })) {
      raw.append(element("dt", key), element("dd", written(value)));
    }
    return item;
  }

  #sentence(code, values) {
    const text = this.#word(code);
    return text.replace(/\{(\w+)\}/g, (_, key) => (key === "time" ? this.#moment(values.time) : shortened(written(values[key]))));
  }

  #word(code) {
    const found = this.texts.querySelector(`[data-code="${code}"]`);
    return found ? found.textContent.trim().replace(/\s+/g, " ") : code;
  }

  /** A moment in the network's zone, which is the zone of every other time on the page. */
  #moment(seconds) {
    const { lang } = document.documentElement;
    const form = { dateStyle: "long", timeStyle: "medium", timeZone: "UTC" };
    const local = (Number(seconds) + Number(this.form.dataset.utcOffset)) * 1000;
    return new Intl.DateTimeFormat(lang === "en" ? "en-GB" : lang, form).format(local);
  }

  // ---------------------------------------------------------------- what the receipt says

  /** The numbers that the check has covered. Names in the file are left out, because nothing proves them. */
  #says(receipt, programs) {
    const facts = this.form.querySelector("[data-says]");
    if (!facts) return;
    const kind = this.#word(`kind.${kindName(receipt.entry.kind)}`);
    const values = { ...receipt, ...receipt.entry, kind, source: programs.source, target: programs.target ?? "" };
    for (const place of facts.querySelectorAll("[data-value]")) {
      const value = values[place.dataset.value];
      place.textContent = shownAs(place.dataset.as, value, this.form.dataset);
      place.parentElement.hidden = "optional" in place.dataset && isNothing(value);
    }
    facts.hidden = false;
  }

  #show(name, text) {
    for (const place of this.form.querySelectorAll(`[data-shown="${name}"]`)) place.textContent = text;
  }
}

/** A value of a receipt as people read it, exactly: micros as money, days as a date. */
function shownAs(form, value, { currency, never }) {
  if (form === "money") {
    const digits = String(value).padStart(7, "0");
    const decimals = digits.slice(-6).replace(/0+$/, "").padEnd(2, "0");
    return `${grouped(digits.slice(0, -6))}.${decimals} ${currency}`;
  }
  if (form === "points") return grouped(String(value));
  if (form === "day") return value ? new Date(Number(value) * 86_400_000).toISOString().slice(0, 10) : never;
  return written(value);
}

/** Whether an entry says nothing by an optional value: no fee, no agreement, no link. */
function isNothing(value) {
  return value === "" || value === 0n || /^0x0+$/.test(value);
}

function grouped(digits) {
  return digits.replace(/\B(?=(\d{3})+$)/g, ",");
}

function element(tag, text) {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

function written(value) {
  if (value === undefined || value === null || value === "") return "—";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function shortened(text) {
  return HASH.test(text) ? `${text.slice(0, 10)}…${text.slice(-6)}` : text;
}

/** What `use` makes of the browser's store; undefined where the person has closed it. */
function stored(use) {
  try {
    return use(window.localStorage);
  } catch {
    return undefined;
  }
}

const started = new WeakSet();

function start(root) {
  for (const form of root.querySelectorAll("[data-receipt-check]")) {
    if (started.has(form)) continue;
    started.add(form);
    new ReceiptForm(form);
    const waiting = form.closest("[data-until-receipt]");
    waiting?.replaceWith(...waiting.childNodes); // what came later would fetch the form anew, and what was checked would be gone
  }
}

start(document);
document.addEventListener("live:after", (event) => start(event.target));
