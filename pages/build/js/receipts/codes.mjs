// Every code that a step can have. A page that shows steps has a sentence for each, in each language.

const OUTCOMES = {
  format: ["passed", "empty", "size", "json", "object", "missing", "number", "hash", "address", "list"],
  batch: ["other"],
  leaf: ["passed", "refused"],
  proof: ["passed", "refused"],
  contract: ["passed", "refused", "address"],
  chain_id: ["passed", "refused", "number", "node"],
  code: ["passed", "refused"],
  root: ["passed", "refused", "none"],
  transaction: ["passed", "refused", "unknown", "other", "block", "root"],
  block: ["passed", "refused", "unknown"],
  entry: ["passed", "refused"],
  head: ["passed", "refused", "other", "noted"],
  signature: ["passed", "refused", "noted"],
  rpc: [
    ...["url", "password", "insecure", "blocked", "unreachable", "slow", "status", "answer", "error"],
    ...["behind", "no_contract"],
  ],
};

/** For example `leaf.refused`. */
export const CODES = Object.entries(OUTCOMES).flatMap(([name, outcomes]) => outcomes.map((one) => `${name}.${one}`));

const known = new Set(CODES);

/** The same code. Throws for one that stands in no list, for which no page has a sentence. */
export function knownCode(code) {
  if (!known.has(code)) throw new Error(`no page can explain ${code}: add it to codes.mjs`);
  return code;
}
