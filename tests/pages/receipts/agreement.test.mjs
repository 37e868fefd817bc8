// JavaScript says of each receipt what Python says of it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { checkReceipt } from "../../../pages/build/js/receipts/check.mjs";
import { given, told, trusted } from "./given.mjs";

test("every verdict is Python's", async () => {
  assert.ok(given.cases.length > 1_000);
  for (const { name, text, verdict } of given.cases) {
    const result = await checkReceipt(text, trusted);
    assert.equal(result.verdict, verdict, `${name}\n${told(result)}\n${text}`);
  }
});

test("a true receipt passes every step", async () => {
  const steps = "format leaf proof contract chain_id code root transaction block entry head signature".split(" ");
  for (const { name, text } of given.cases.filter(({ verdict }) => verdict === "valid")) {
    const seen = [];
    const result = await checkReceipt(text, trusted, (step) => seen.push(step));
    assert.deepEqual(seen, result.steps);
    assert.deepEqual(
      seen.map((step) => [step.name, step.verdict]),
      steps.map((step) => [step, "passed"]),
      name,
    );
    const target = name.startsWith("exchange") ? { target: "CINE" } : {};
    assert.deepEqual(result.programs, { source: "FUEL", ...target }, name);
  }
});
