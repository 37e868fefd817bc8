// The check of a receipt against a chain, step by step. It trusts the node that the person names, and nobody else.

import { addressWord, digits, isSame, keccakOfHex, keccakOfText, textOfWord, word } from "./exact.mjs";
import { Node, NodeFault, numberOf } from "./node.mjs";
import { findOrder, orderDigest, signerOf } from "./orders.mjs";
import { NoReceipt, checkItself, packedWords, readReceipt, step } from "./receipt.mjs";

const BATCH_CLOSED = keccakOfText("BatchClosed(uint40,uint16,bytes32,bytes32)");
const ENTRY_POSTED = keccakOfText("EntryPosted(address,uint256,uint256,bytes32)");
const LINKED_ENTRY_POSTED = keccakOfText("LinkedEntryPosted(address,bytes32,uint256,uint256,bytes32)");
const ZERO_WORD = "0".repeat(64);
const RANGE = 10_000n;
const TERMS = 20;
const TARGET_PROGRAM = 7;
const ADDRESS = /^0x[0-9a-fA-F]{40}$/;
const DECIMAL = /^[0-9]{1,20}$/;

/**
 * Check a receipt.
 *
 * @param text What its file holds.
 * @param trusted `rpcUrl` of the node to ask, `contract` and `chainId` from a source that the person trusts. `timeout` is in
 *   milliseconds, for each question.
 * @param onStep Called with each step as soon as it is known.
 * @returns `verdict` (`valid`, `refused` or `undecided`), the `steps`, the `receipt` if the file is one, and the codes that the
 *   chain has for its `programs` (`source`, and `target` of an exchange).
 */
export async function checkReceipt(text, trusted, onStep = () => {}) {
  const steps = [];
  const result = { verdict: "valid", steps, receipt: null, programs: {} };
  try {
    for await (const found of checks(text, trusted, result)) {
      steps.push(found);
      onStep(found);
      if (found.verdict === "refused" || found.verdict === "undecided") {
        result.verdict = found.verdict;
        break;
      }
    }
  } catch (error) {
    if (!(error instanceof NodeFault)) throw error;
    const fault = step("node", "undecided", error.code, error.values);
    steps.push(fault);
    onStep(fault);
    result.verdict = "undecided";
  }
  return result;
}

async function* checks(text, trusted, result) {
  let receipt;
  try {
    receipt = readReceipt(text);
  } catch (error) {
    if (!(error instanceof NoReceipt)) throw error;
    yield step("format", "refused", error.code, { field: error.field, found: error.found });
    return;
  }
  result.receipt = receipt;
  yield step("format", "passed", "format");
  yield* checkItself(receipt);
  yield trustedContract(receipt, trusted);
  yield* new ChainCheck(receipt, trusted, result.programs).steps();
}

function trustedContract(receipt, { contract }) {
  if (!ADDRESS.test(String(contract).trim())) return step("contract", "undecided", "contract.address", { found: contract });
  const isRight = isSame(String(contract).trim(), receipt.contract);
  return step("contract", isRight ? "passed" : "refused", "contract", { expected: contract, found: receipt.contract });
}

/** What the chain says of one receipt. Every view is read at the same block. */
class ChainCheck {
  constructor(receipt, { rpcUrl, chainId, timeout }, programs) {
    this.receipt = receipt;
    this.programs = programs;
    this.contract = receipt.contract; // it is the trusted one by now
    this.chainId = String(chainId).trim();
    this.node = new Node(rpcUrl, { timeout });
  }

  async *steps() {
    yield* this.#chain();
    yield await this.#code();
    yield await this.#root();
    yield await this.#transaction();
    yield await this.#block();
    yield await this.#entry();
    yield await this.#head();
    yield await this.#signature();
  }

  async *#chain() {
    const { receipt, chainId } = this;
    if (!DECIMAL.test(chainId)) {
      yield step("chain_id", "undecided", "chain_id.number", { found: chainId });
      return;
    }
    const expected = BigInt(chainId);
    if (receipt.chain_id !== expected) {
      yield step("chain_id", "refused", "chain_id", { expected, found: receipt.chain_id });
      return;
    }
    const found = await this.node.chainId();
    if (found !== expected) {
      yield step("chain_id", "undecided", "chain_id.node", { expected, found });
      return;
    }
    this.newest = await this.node.blockNumber();
    yield step("chain_id", "passed", "chain_id", { expected, found, newest: this.newest });
  }

  /** Whether the node has not yet seen the block in which the receipt says the batch was closed. */
  get #isBehind() {
    return this.newest < this.receipt.block_number;
  }

  #behind(name) {
    return step(name, "undecided", "rpc.behind", { newest: this.newest, block: this.receipt.block_number });
  }

  async #code() {
    const code = await this.node.code(this.contract, this.newest);
    if (code.length > 2) return step("code", "passed", "code", { contract: this.contract, bytes: code.length / 2 - 1 });
    return this.#isBehind ? this.#behind("code") : step("code", "refused", "code", { contract: this.contract });
  }

  async #root() {
    const { batch, root } = this.receipt;
    const [found] = await this.node.view(this.contract, "rootOf(uint40)", word(batch), this.newest);
    if (found === ZERO_WORD) {
      return this.#isBehind ? this.#behind("root") : step("root", "refused", "root.none", { batch });
    }
    const isRight = isSame(`0x${found}`, root);
    return step("root", isRight ? "passed" : "refused", "root", { batch, expected: root, found: `0x${found}` });
  }

  /** The proof does not cover the transaction and its block, so they are compared with the batch's own event. */
  async #transaction() {
    const { tx_hash: hash, batch, block_number: block } = this.receipt;
    const found = await this.node.transactionReceipt(hash);
    if (found === null) {
      return this.#isBehind ? this.#behind("transaction") : step("transaction", "refused", "transaction.unknown", { hash });
    }
    this.#readTransaction(found);
    if (!isSame(found.transactionHash ?? hash, hash)) {
      return step("transaction", "undecided", "transaction.other", { hash, found: found.transactionHash });
    }
    if (!this.closed || found.status === "0x0") return step("transaction", "refused", "transaction", { hash, batch });
    if (this.minedIn !== block) {
      return step("transaction", "refused", "transaction.block", { hash, expected: block, found: this.minedIn });
    }
    if (!isSame(this.closed.root, this.receipt.root)) {
      return step("transaction", "refused", "transaction.root", { expected: this.receipt.root, found: this.closed.root });
    }
    return step("transaction", "passed", "transaction", { hash, batch, block, entries: this.closed.entries });
  }

  #readTransaction(found) {
    const logs = Array.isArray(found.logs) ? found.logs : [];
    this.ownLogs = logs.filter((log) => isSame(log?.address, this.contract) && Array.isArray(log.topics));
    this.minedIn = numberOf(found.blockNumber);
    this.blockHash = found.blockHash;
    this.closed = this.ownLogs.map((log) => closedBatch(log, this.receipt.batch)).find(Boolean);
  }

  /** A node can remember a transaction of a block that was undone. Only the chain's own block at that height counts. */
  async #block() {
    const { block_number: number, tx_hash: hash } = this.receipt;
    const block = await this.node.block(number);
    if (block === null) return step("block", "undecided", "block.unknown", { block: number });
    const holds = Array.isArray(block.transactions) && block.transactions.some((one) => isSame(one, hash));
    if (!holds || !isSame(block.hash, this.blockHash)) {
      return step("block", "refused", "block", { block: number, expected: this.blockHash, found: block.hash });
    }
    const time = numberOf(block.timestamp) ?? 0n;
    return step("block", "passed", "block", { block: number, hash: block.hash, time, newer: this.newest - number });
  }

  async #entry() {
    const { entry } = this.receipt;
    const linked = digits(entry.link) !== ZERO_WORD;
    const topics = [linked ? LINKED_ENTRY_POSTED : ENTRY_POSTED, `0x${addressWord(entry.member)}`];
    if (linked) topics.push(entry.link);
    const data = `0x${packedWords(entry)}${digits(entry.ref)}`;
    const isPosted = this.ownLogs.some((log) => sameTopics(log.topics, topics) && isSame(log.data, data));
    await this.#readPrograms();
    const values = { index: entry.index, batch: entry.batch, data, ...this.programs };
    return step("entry", isPosted ? "passed" : "refused", "entry", values);
  }

  /** The chain's own names for what the receipt has numbers for. */
  async #readPrograms() {
    const { program, agreement } = this.receipt.entry;
    this.programs.source = await this.#codeOfProgram(word(program));
    if (agreement === 0n) return;
    const terms = await this.node.view(this.contract, "agreementOf(uint32)", word(agreement), this.newest, TERMS);
    if (terms[TARGET_PROGRAM] !== ZERO_WORD) this.programs.target = await this.#codeOfProgram(terms[TARGET_PROGRAM]);
  }

  async #codeOfProgram(number) {
    const found = await this.node.view(this.contract, "programOf(uint32)", number, this.newest, 4);
    return textOfWord(found[2]);
  }

  /** The head chains the roots of all batches, so that none can be changed later. */
  async #head() {
    const { batch, block_number: block } = this.receipt;
    const [count] = await this.node.view(this.contract, "batchCount()", "", this.newest);
    const [head] = await this.node.view(this.contract, "head()", "", this.newest);
    const values = { batch, batches: BigInt(`0x${count}`), head: `0x${head}`, after: this.closed.head };
    if (values.batches === batch && !isSame(values.head, values.after)) {
      return step("head", "refused", "head.other", { ...values, expected: values.after, found: values.head });
    }
    const before = await this.#headBefore(batch, block);
    if (before === null) return step("head", "noted", "head", values);
    const expected = keccakOfHex(before + word(batch) + word(this.closed.entries) + digits(this.receipt.root));
    const isRight = isSame(expected, values.after);
    return step("head", isRight ? "passed" : "refused", "head", { ...values, expected, found: values.after });
  }

  /** The head before a batch, or null if the node does not list events that far back. */
  async #headBefore(batch, block) {
    if (batch === 1n) return ZERO_WORD;
    const first = block > RANGE ? block - RANGE : 0n;
    try {
      const topics = [BATCH_CLOSED, `0x${word(batch - 1n)}`];
      const logs = await this.node.logs(this.contract, topics, first, block);
      const closed = logs.map((log) => closedBatch(log, batch - 1n)).find(Boolean);
      return closed ? digits(closed.head) : null;
    } catch (error) {
      if (error instanceof NodeFault && error.code !== "rpc.unreachable") return null;
      throw error;
    }
  }

  /** The contract has checked the signature already. This shows to the person whose key it was. */
  async #signature() {
    const { entry, tx_hash: hash, chain_id: chainId } = this.receipt;
    const found = await this.node.transaction(hash);
    const input = typeof found?.input === "string" ? found.input : "0x";
    const order = findOrder(input, entry.merchant, entry.nonce);
    if (order === null) return step("signature", "noted", "signature", { merchant: entry.merchant });
    const digest = orderDigest(order, chainId, this.contract);
    const key = signerOf(digest, order.signature);
    const values = { merchant: entry.merchant, nonce: entry.nonce, key, digest, deadline: order.deadline };
    if (key === null) return step("signature", "refused", "signature", values);
    const [owner] = await this.node.view(this.contract, "signerOf(address)", addressWord(key), this.newest, 3);
    const isOwn = BigInt(`0x${owner}`) === entry.merchant && isOrdered(order, entry);
    return step("signature", isOwn ? "passed" : "refused", "signature", values);
  }
}

/** What a log says of a batch that was closed, or null if it is another log. */
function closedBatch(log, batch) {
  if (!sameTopics(log?.topics, [BATCH_CLOSED, `0x${word(batch)}`]) || !/^0x[0-9a-fA-F]{192}$/.test(log.data)) return null;
  const data = digits(log.data);
  return {
    entries: BigInt(`0x${data.slice(0, 64)}`),
    root: `0x${data.slice(64, 128)}`,
    head: `0x${data.slice(128)}`,
  };
}

function sameTopics(topics, expected) {
  return Array.isArray(topics) && topics.length === expected.length && expected.every((topic, at) => isSame(topic, topics[at]));
}

/** Whether the order asked for what the entry did. An exchange may burn fewer points: the remainder stays with the member. */
function isOrdered(order, entry) {
  const asked = order.instructions[Number(entry.item)];
  return (
    asked !== undefined &&
    asked.kind === entry.kind &&
    asked.program === entry.program &&
    asked.agreement === entry.agreement &&
    asked.points >= entry.points &&
    isSame(asked.member, entry.member) &&
    isSame(`0x${asked.ref}`, entry.ref) &&
    isSame(`0x${asked.link}`, entry.link)
  );
}
