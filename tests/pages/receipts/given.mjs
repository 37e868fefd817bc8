// What the Python test gives: real receipts, the node of their chain, and what the person trusts.

import { readFileSync } from "node:fs";

export const given = JSON.parse(readFileSync(process.env.TONGDUI_GIVEN, "utf8"));

export const trusted = {
  rpcUrl: given.trusted.rpc_url,
  contract: given.trusted.contract,
  chainId: given.trusted.chain_id,
};

/** The steps in one line each, to show beside a test that fails. */
export function told(result) {
  return result.steps.map(({ name, code }) => `${name}: ${code}`).join("\n");
}
