// A receipt: what its file must hold, and what it proves by itself. Nothing here asks a chain.

import { knownCode } from "./codes.mjs";
import { addressWord, digits, isSame, keccakOfHex, parseExactly, word } from "./exact.mjs";

const KINDS = ["issue", "redeem", "exchange", "spend", "transfer", "reverse", "expire"];
const LARGEST_FILE = 1_000_000;
const WORD = /^0x[0-9a-fA-F]{64}$/;
const ADDRESS = /^0x[0-9a-fA-F]{40}$/;
const DECIMAL = /^(0|[1-9][0-9]*)$/;

/** The file is not a receipt. `code` says what is wrong with it, `field` where. */
export class NoReceipt extends Error {
  constructor(code, field = "", found = "") {
    super(`${code} ${field}`.trim());
    this.code = knownCode(code);
    this.field = field;
    this.found = found;
  }
}

/** A whole number below 2^bits. The gateway writes it as text for a caller that asks for IEEE754Compatible JSON. */
const uint = (bits) => (value, field) => {
  const number = typeof value === "string" && DECIMAL.test(value) ? BigInt(value) : value;
  if (typeof number !== "bigint" || number < 0n || number >> BigInt(bits)) {
    throw new NoReceipt("format.number", field, value);
  }
  return number;
};

const matching = (pattern, code) => (value, field) => {
  if (typeof value !== "string" || !pattern.test(value)) throw new NoReceipt(code, field, value);
  return value.toLowerCase();
};

const hash = matching(WORD, "format.hash");
const address = matching(ADDRESS, "format.address");

const kind = (value, field) => {
  const named = typeof value === "string" ? KINDS.indexOf(value.toLowerCase()) : -1;
  const number = named < 0 ? uint(8)(value, field) : BigInt(named + 1);
  if (number === 0n) throw new NoReceipt("format.number", field, value);
  return number;
};

const hashes = (value, field) => {
  if (!Array.isArray(value)) throw new NoReceipt("format.list", field, value);
  return value.map((sibling, place) => hash(sibling, `${field}.${place}`));
};

const ENTRY = {
  batch: uint(40),
  index: uint(16),
  merchant: uint(32),
  nonce: uint(48),
  item: uint(16),
  kind,
  expiry_day: uint(32),
  program: uint(32),
  agreement: uint(32),
  member: address,
  points: uint(64),
  out: uint(64),
  settled: uint(64),
  fee: uint(64),
  ref: hash,
  link: hash,
};

const RECEIPT = {
  entry: (value, field) => members(value, ENTRY, `${field}.`),
  leaf: hash,
  proof: hashes,
  root: hash,
  batch: uint(40),
  tx_hash: hash,
  block_number: uint(64),
  chain_id: uint(64),
  contract: address,
};

function members(value, fields, prefix) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw new NoReceipt("format.object", prefix.slice(0, -1) || "file", value);
  }
  const found = {};
  for (const [name, read] of Object.entries(fields)) {
    if (!Object.hasOwn(value, name)) throw new NoReceipt("format.missing", prefix + name);
    found[name] = read(value[name], prefix + name);
  }
  return found;
}

/**
 * Read a receipt from the text of its file. Other members than those above are passed over, because nothing proves them.
 * Throws NoReceipt.
 */
export function readReceipt(text) {
  if (text.length > LARGEST_FILE) throw new NoReceipt("format.size");
  let document;
  try {
    document = parseExactly(text);
  } catch {
    throw new NoReceipt(text.trim() ? "format.json" : "format.empty");
  }
  return members(document, RECEIPT, "");
}

/** The name of an entry's kind, or its number if it has none. */
export function kindName(number) {
  return KINDS[Number(number) - 1] ?? String(number);
}

/** The two words of an entry's event that pack its numbers: `EntryHead` and `EntryAmounts` of the contract. */
export function packedWords(entry) {
  const head =
    (entry.batch << 216n) |
    (entry.index << 200n) |
    (entry.merchant << 168n) |
    (entry.nonce << 120n) |
    (entry.item << 104n) |
    (entry.kind << 96n) |
    (entry.expiry_day << 64n) |
    (entry.program << 32n) |
    entry.agreement;
  const amounts = (entry.points << 192n) | (entry.out << 128n) | (entry.settled << 64n) | entry.fee;
  return word(head) + word(amounts);
}

/** The hash that identifies an entry: of the five words that its event has. */
export function leafOf(entry) {
  return keccakOfHex(addressWord(entry.member) + packedWords(entry) + digits(entry.ref) + digits(entry.link));
}

/** The root that a leaf and its siblings lead to. The two nodes of a pair are sorted before they are hashed. */
export function rootOfProof(leaf, proof) {
  return proof.reduce((node, sibling) => {
    const [left, right] = [digits(node), digits(sibling)].sort();
    return keccakOfHex(left + right);
  }, leaf);
}

/** Check that a receipt agrees with itself. Yields steps; the first that is refused is the last. */
export function* checkItself(receipt) {
  if (!isSame(receipt.batch, receipt.entry.batch)) {
    yield step("leaf", "refused", "batch.other", { expected: receipt.batch, found: receipt.entry.batch });
    return;
  }
  const leaf = leafOf(receipt.entry);
  yield step("leaf", isSame(leaf, receipt.leaf) ? "passed" : "refused", "leaf", { expected: receipt.leaf, found: leaf });
  const root = rootOfProof(leaf, receipt.proof);
  const siblings = receipt.proof.length;
  yield step("proof", isSame(root, receipt.root) ? "passed" : "refused", "proof", {
    expected: receipt.root,
    found: root,
    siblings,
  });
}

/**
 * One step of a check. `verdict` is passed, refused (the receipt proves nothing), undecided (the node could not be asked)
 * or noted (worth knowing, but no part of the proof). Without a dot in it, `code` gets the verdict: `leaf` becomes `leaf.passed`.
 */
export function step(name, verdict, code, values = {}) {
  return { name, verdict, code: knownCode(code.includes(".") ? code : `${code}.${verdict}`), values };
}
