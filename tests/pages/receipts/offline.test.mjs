// What a receipt says of itself: no bit of it can be altered, and no node is asked about one that contradicts itself.

import assert from "node:assert/strict";
import { test } from "node:test";

import { checkReceipt } from "../../../pages/build/js/receipts/check.mjs";
import { parseExactly } from "../../../pages/build/js/receipts/exact.mjs";
import { given, told, trusted } from "./given.mjs";

const BITS = {
  ...{ batch: 40, index: 16, merchant: 32, nonce: 48, item: 16, kind: 8, expiry_day: 32, program: 32, agreement: 32 },
  ...{ points: 64, out: 64, settled: 64, fee: 64 },
};
const nowhere = { ...trusted, rpcUrl: "http://127.0.0.1:9" };

async function assertRefused(receipt, what) {
  const text = JSON.stringify(receipt, (_, value) => (typeof value === "bigint" ? value.toString() : value));
  const result = await checkReceipt(text, nowhere);
  assert.equal(result.verdict, "refused", `${what}\n${told(result)}`);
}

function flipped(hex, digit) {
  const other = (Number.parseInt(hex[digit], 16) ^ (1 << digit % 4)).toString(16);
  return hex.slice(0, digit) + other + hex.slice(digit + 1);
}

for (const [name, receipt] of Object.entries(given.receipts)) {
  test(`${name}: a flipped bit of any number of the entry`, async () => {
    for (const [field, bits] of Object.entries(BITS)) {
      for (let bit = 0n; bit < bits; bit += 1n) {
        const entry = { ...receipt.entry, [field]: BigInt(receipt.entry[field]) ^ (1n << bit) };
        await assertRefused({ ...receipt, entry }, `${field}, bit ${bit}`);
      }
    }
  });

  test(`${name}: a changed digit of any hash or address`, async () => {
    for (const field of ["member", "ref", "link"]) {
      for (let digit = 2; digit < receipt.entry[field].length; digit += 1) {
        const entry = { ...receipt.entry, [field]: flipped(receipt.entry[field], digit) };
        await assertRefused({ ...receipt, entry }, `${field}, digit ${digit}`);
      }
    }
    for (const field of ["leaf", "root", "contract"]) {
      for (let digit = 2; digit < receipt[field].length; digit += 1) {
        await assertRefused({ ...receipt, [field]: flipped(receipt[field], digit) }, `${field}, digit ${digit}`);
      }
    }
    for (const [place, sibling] of receipt.proof.entries()) {
      for (let digit = 2; digit < sibling.length; digit += 1) {
        const proof = receipt.proof.with?.(place, flipped(sibling, digit)) ?? [...receipt.proof];
        proof[place] = flipped(sibling, digit);
        await assertRefused({ ...receipt, proof }, `sibling ${place}, digit ${digit}`);
      }
    }
  });
}

test("a file that is no receipt says what is wrong with it, and where", async () => {
  const [receipt] = Object.values(given.receipts);
  const entry = (changes) => ({ ...receipt, entry: { ...receipt.entry, ...changes } });
  const cases = [
    ["", "format.empty", ""],
    ["  \n", "format.empty", ""],
    ["PK\u0003\u0004", "format.json", ""],
    [JSON.stringify(receipt).slice(0, 500), "format.json", ""],
    [JSON.stringify([receipt]), "format.object", "file"],
    ["null", "format.object", "file"],
    ["{}", "format.missing", "entry"],
    [" ".repeat(1_000_001), "format.size", ""],
    [JSON.stringify({ ...receipt, entry: 7 }), "format.object", "entry"],
    [JSON.stringify({ ...receipt, proof: "0x" }), "format.list", "proof"],
    [JSON.stringify({ ...receipt, proof: [7] }), "format.hash", "proof.0"],
    [JSON.stringify({ ...receipt, root: "0x12" }), "format.hash", "root"],
    [JSON.stringify({ ...receipt, contract: receipt.root }), "format.address", "contract"],
    [JSON.stringify(entry({ points: 1.5 })), "format.number", "entry.points"],
    [JSON.stringify(entry({ fee: "1e3" })), "format.number", "entry.fee"],
    [JSON.stringify(entry({ kind: 0 })), "format.number", "entry.kind"],
    [JSON.stringify(entry({ member: undefined })), "format.missing", "entry.member"],
  ];
  for (const [text, code, field] of cases) {
    const { verdict, steps } = await checkReceipt(text, nowhere);
    const last = steps.at(-1);
    assert.deepEqual([verdict, last.code, last.values.field], ["refused", code, field], text.slice(0, 100));
  }
});

test("a kind may be written by its name", async () => {
  for (const [name, receipt] of Object.entries(given.receipts)) {
    const [kind] = name.split(" ");
    const result = await checkReceipt(JSON.stringify({ ...receipt, entry: { ...receipt.entry, kind } }), nowhere);
    assert.equal(result.steps.at(-1).code, "rpc.unreachable", told(result));
  }
});

test("integers are exact, however large, and text stays text", () => {
  const text = '{"a": 18446744073709551615, "b": -9007199254740993, "c": "12", "d": [1.5, 1e3, "\\"7\\" 8"], "e\\\\": 1}';
  assert.deepEqual(parseExactly(text), {
    a: 18446744073709551615n,
    b: -9007199254740993n,
    c: "12",
    d: [1.5, 1000, '"7" 8'],
    "e\\": 1n,
  });
  for (const wrong of ["01", "{'a': 1}", "[1,]", "1 2", ""]) assert.throws(() => parseExactly(wrong), SyntaxError);
});
