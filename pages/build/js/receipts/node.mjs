// A chain node, asked over JSON-RPC by the browser itself, and what can go wrong with one.

import { knownCode } from "./codes.mjs";
import { keccakOfText } from "./exact.mjs";

const QUANTITY = /^0x[0-9a-fA-F]+$/;
const BYTES = /^0x([0-9a-fA-F]{2})*$/;
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;
const SHOWN = 200;

/** The node cannot be asked, or does not answer the question. `code` says in which way. */
export class NodeFault extends Error {
  constructor(code, values = {}) {
    super(code);
    this.code = knownCode(code);
    this.values = values;
  }
}

/** A node at `url`. Each question takes `timeout` milliseconds at most, and throws NodeFault without a usable answer. */
export class Node {
  constructor(url, { timeout = 15_000, page = globalThis.location } = {}) {
    this.url = usable(url, page);
    this.timeout = timeout;
  }

  async chainId() {
    return this.#quantity("eth_chainId", []);
  }

  async blockNumber() {
    return this.#quantity("eth_blockNumber", []);
  }

  /** The code at an address, at a block. */
  async code(address, block) {
    return this.#bytes("eth_getCode", [address, quantity(block)]);
  }

  /** The words that a view of the contract returns at a block, as hex digits; at least `count`. */
  async view(contract, signature, args, block, count = 1) {
    const call = { to: contract, data: keccakOfText(signature).slice(0, 10) + args };
    const found = (await this.#bytes("eth_call", [call, quantity(block)])).slice(2);
    if (found.length < 64 * count) throw new NodeFault("rpc.no_contract", { contract, method: signature });
    return Array.from({ length: count }, (_, place) => found.slice(64 * place, 64 * (place + 1)));
  }

  /** A transaction's receipt, or null when the node does not have it. */
  async transactionReceipt(hash) {
    return this.#object("eth_getTransactionReceipt", [hash]);
  }

  /** A transaction, or null when the node does not have it. */
  async transaction(hash) {
    return this.#object("eth_getTransactionByHash", [hash]);
  }

  /** A block by its number with the hashes of its transactions, or null. */
  async block(number) {
    return this.#object("eth_getBlockByNumber", [quantity(number), false]);
  }

  /** The contract's logs with these topics in a range of blocks. */
  async logs(contract, topics, first, last) {
    const filter = { address: contract, topics, fromBlock: quantity(first), toBlock: quantity(last) };
    const found = await this.ask("eth_getLogs", [filter]);
    if (!Array.isArray(found)) throw new NodeFault("rpc.answer", { method: "eth_getLogs", said: shown(found) });
    return found;
  }

  /** Ask one question and return the result. */
  async ask(method, params) {
    const response = await this.#post(JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }));
    const text = await this.#within(response.text(), method);
    let answer;
    try {
      answer = JSON.parse(text);
    } catch {
      const code = response.ok ? "rpc.answer" : "rpc.status";
      throw new NodeFault(code, { method, status: response.status, said: shown(text) });
    }
    if (answer !== null && typeof answer === "object" && Object.hasOwn(answer, "result")) return answer.result;
    const said = answer?.error?.message ?? answer?.error;
    if (said !== undefined) throw new NodeFault("rpc.error", { method, said: shown(said) });
    throw new NodeFault(response.ok ? "rpc.answer" : "rpc.status", {
      method,
      status: response.status,
      said: shown(text),
    });
  }

  async #post(body) {
    const request = {
      method: "POST",
      body,
      headers: { "Content-Type": "application/json" },
      credentials: "omit",
      referrerPolicy: "no-referrer",
      cache: "no-store",
      signal: AbortSignal.timeout(this.timeout),
    };
    try {
      return await fetch(this.url, request);
    } catch (error) {
      throw await this.#unanswered(error);
    }
  }

  /** A browser does not tell why a request failed. One that asks for no answer shows whether somebody is there. */
  async #unanswered(error) {
    if (error?.name === "TimeoutError" || error?.name === "AbortError") return this.#slow();
    try {
      await fetch(this.url, {
        mode: "no-cors",
        credentials: "omit",
        referrerPolicy: "no-referrer",
        cache: "no-store",
        signal: AbortSignal.timeout(this.timeout),
      });
      return new NodeFault("rpc.blocked", { url: this.url });
    } catch {
      return new NodeFault("rpc.unreachable", { url: this.url });
    }
  }

  async #within(reading, method) {
    try {
      return await reading;
    } catch (error) {
      if (error?.name === "TimeoutError" || error?.name === "AbortError") throw this.#slow();
      throw new NodeFault("rpc.answer", { method, said: shown(error?.message) });
    }
  }

  #slow() {
    return new NodeFault("rpc.slow", { url: this.url, seconds: this.timeout / 1000 });
  }

  async #quantity(method, params) {
    const found = await this.ask(method, params);
    if (typeof found !== "string" || !QUANTITY.test(found)) {
      throw new NodeFault("rpc.answer", { method, said: shown(found) });
    }
    return BigInt(found);
  }

  async #bytes(method, params) {
    const found = await this.ask(method, params);
    if (typeof found !== "string" || !BYTES.test(found)) {
      throw new NodeFault("rpc.answer", { method, said: shown(found) });
    }
    return found;
  }

  async #object(method, params) {
    const found = await this.ask(method, params);
    if (found === null) return null;
    if (typeof found !== "object" || Array.isArray(found)) {
      throw new NodeFault("rpc.answer", { method, said: shown(found) });
    }
    return found;
  }
}

/** A number as JSON-RPC writes it. */
export function quantity(number) {
  return `0x${BigInt(number).toString(16)}`;
}

/** The number that JSON-RPC writes as `text`, or null if it is none. */
export function numberOf(text) {
  return typeof text === "string" && QUANTITY.test(text) ? BigInt(text) : null;
}

function usable(text, page) {
  let url;
  try {
    url = new URL(String(text).trim());
  } catch {
    throw new NodeFault("rpc.url", { url: text });
  }
  if (!["http:", "https:"].includes(url.protocol)) throw new NodeFault("rpc.url", { url: text });
  if (url.username || url.password) throw new NodeFault("rpc.password");
  if (page?.protocol === "https:" && url.protocol === "http:" && !LOOPBACK.test(url.hostname)) {
    throw new NodeFault("rpc.insecure", { url: url.href }); // browsers refuse it without saying so
  }
  return url.href;
}

function shown(said) {
  const text = typeof said === "string" ? said : JSON.stringify(said) ?? "";
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}
