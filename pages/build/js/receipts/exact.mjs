// Exact numbers: JSON whose integers a double cannot hold, and the words in which the chain hashes them.

import { keccak_256 } from "@noble/hashes/sha3.js";
import { bytesToHex, hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";

const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const INTEGER = /^-?\d+$/;

/**
 * Read JSON without rounding: every integer becomes a BigInt, every other number stays a Number.
 * Throws a SyntaxError for what is not JSON.
 */
export function parseExactly(text) {
  JSON.parse(text); // the tokens below are only right in JSON that is right
  const mark = `number ${bytesToHex(globalThis.crypto.getRandomValues(new Uint8Array(16)))}`; // no file can know it
  const marked = text.replace(TOKENS, (token) => (token[0] === '"' ? token : `{"${mark}":"${token}"}`));
  return JSON.parse(marked, (_name, value) => {
    const written = value !== null && typeof value === "object" ? value[mark] : undefined;
    if (written === undefined) return value;
    return INTEGER.test(written) ? BigInt(written) : Number(written);
  });
}

/** The 64 hex digits of a number below 2^256, as one big-endian word. */
export function word(number) {
  return BigInt(number).toString(16).padStart(64, "0");
}

/** The 64 hex digits of an address as one word. */
export function addressWord(address) {
  return digits(address).padStart(64, "0");
}

/** The text of a word that is padded on the right. */
export function textOfWord(hex) {
  return new TextDecoder().decode(hexToBytes(hex.replace(/(00)+$/, "")));
}

/** The hex digits of `text` without 0x, in lower case. */
export function digits(text) {
  return text.slice(2).toLowerCase();
}

/** Hash bytes that are given as hex digits (without 0x), as the EVM does. Returns 0x and 64 digits. */
export function keccakOfHex(hex) {
  return `0x${bytesToHex(keccak_256(hexToBytes(hex)))}`;
}

/** Hash text: the type of a struct, or the signature of a function or an event. Returns 0x and 64 digits. */
export function keccakOfText(text) {
  return `0x${bytesToHex(keccak_256(utf8ToBytes(text)))}`;
}

/** Whether two values are the same. In hex, case makes no difference: addresses and hashes are written in both. */
export function isSame(left, right) {
  return typeof left === "string" && typeof right === "string"
    ? left.toLowerCase() === right.toLowerCase()
    : left === right;
}

/** Takes hex digits off the front, byte by byte. Throws a RangeError when too few are left. */
export class Reader {
  #hex;
  #position = 0;

  constructor(hex) {
    this.#hex = hex;
  }

  get isDone() {
    return this.#position >= this.#hex.length;
  }

  take(bytes) {
    const end = this.#position + 2 * bytes;
    if (end > this.#hex.length) throw new RangeError("the bytes are cut off");
    const part = this.#hex.slice(this.#position, end);
    this.#position = end;
    return part;
  }

  number(bytes) {
    return BigInt(`0x${this.take(bytes)}`);
  }
}
