// Nodes that are no help: each has a code of its own, and none makes a receipt valid or refuses a true one for no reason.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, test } from "node:test";

import { checkReceipt } from "../../../pages/build/js/receipts/check.mjs";
import { Node } from "../../../pages/build/js/receipts/node.mjs";
import { keccakOfText } from "../../../pages/build/js/receipts/exact.mjs";
import { given, told, trusted } from "./given.mjs";

const receipt = given.receipts[Object.keys(given.receipts).at(-1)];
const text = JSON.stringify(receipt);
const open = [];

after(() => {
  for (const server of open) {
    server.closeAllConnections();
    server.close();
  }
});

/** A server that answers each request with what `answer` makes of it. */
async function serve(answer) {
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const part of request) body += part;
    await answer(body && JSON.parse(body), response);
  });
  open.push(server);
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return `http://127.0.0.1:${server.address().port}/`;
}

/** The true node, except for what `changes` make of the results of some methods. */
function liar(changes) {
  return serve(async (asked, response) => {
    const headers = { "Content-Type": "application/json" };
    const true_ = await (await fetch(trusted.rpcUrl, { method: "POST", body: JSON.stringify(asked), headers })).json();
    const change = changes[asked.method];
    response.end(JSON.stringify(change ? { ...true_, result: change(true_.result, asked.params) } : true_));
  });
}

async function last(rpcUrl, changes = {}, content = text) {
  const result = await checkReceipt(content, { ...trusted, rpcUrl, timeout: 15_000, ...changes });
  assert.notEqual(result.verdict, "valid", told(result));
  const step = result.steps.at(-1);
  return [result.verdict, step.code, step];
}

async function assertEnds(rpcUrl, verdict, code, changes = {}, content = text) {
  const found = await last(rpcUrl, changes, content);
  assert.deepEqual(found.slice(0, 2), [verdict, code]);
  return found[2];
}

test("an address that is no address of a node", async () => {
  for (const url of ["", "node", "ftp://node", "javascript:alert(1)", "http://"]) {
    await assertEnds(url, "undecided", "rpc.url");
  }
  await assertEnds("http://me:secret@127.0.0.1:8545", "undecided", "rpc.password");
});

test("a page that came by https asks by https, or the person's own machine", () => {
  const page = { protocol: "https:" };
  assert.throws(() => new Node("http://node.example:8545", { page }), { code: "rpc.insecure" });
  for (const url of ["https://node.example", "http://localhost:8545", "http://127.0.0.1:8545", "http://[::1]:8545"]) {
    assert.equal(new Node(url, { page }).url, new URL(url).href);
  }
  assert.equal(new Node("http://node.example", { page: { protocol: "http:" } }).url, "http://node.example/");
});

test("a node that is down", async () => {
  const url = await serve(() => {});
  await new Promise((closed) => open.pop().close(closed));
  await assertEnds(url, "undecided", "rpc.unreachable");
});

test("a node that does not answer in time, or stops in the middle of its answer", async () => {
  await assertEnds(await serve(() => {}), "undecided", "rpc.slow", { timeout: 300 });
  await assertEnds(await serve((_, response) => response.write('{"jsonrpc"')), "undecided", "rpc.slow", { timeout: 300 });
});

test("a server that is no node", async () => {
  const page = await serve((_, response) => response.end("<html>Welcome</html>"));
  const step = await assertEnds(page, "undecided", "rpc.answer");
  assert.deepEqual(step.values, { method: "eth_chainId", status: 200, said: "<html>Welcome</html>" });
  await assertEnds(await serve((_, response) => response.writeHead(401).end("no")), "undecided", "rpc.status");
  await assertEnds(await serve((_, response) => response.writeHead(503).end("{}")), "undecided", "rpc.status");
  await assertEnds(await serve((_, response) => response.end("[]")), "undecided", "rpc.answer");
  await assertEnds(await serve((_, response) => response.end("null")), "undecided", "rpc.answer");
});

test("a node that refuses a question", async () => {
  const error = { code: -32601, message: "the method eth_chainId does not exist" };
  const url = await serve((_, response) => response.writeHead(400).end(JSON.stringify({ error })));
  assert.equal((await assertEnds(url, "undecided", "rpc.error")).values.said, error.message);
});

test("a node of another chain", async () => {
  const step = await assertEnds(given.foreign, "undecided", "chain_id.node");
  assert.deepEqual([step.values.expected, step.values.found], [31337n, 1n]);
  await assertEnds(given.foreign, "refused", "chain_id.refused", { chainId: 1 });
  await assertEnds(trusted.rpcUrl, "undecided", "chain_id.number", { chainId: "" });
});

test("a node that has not come to the receipt's block", async () => {
  const step = await assertEnds(given.behind, "undecided", "rpc.behind");
  assert.equal(step.values.block, BigInt(receipt.block_number));
});

test("another contract than the receipt's", async () => {
  const contract = `0x${"12".repeat(20)}`;
  await assertEnds(trusted.rpcUrl, "refused", "contract.refused", { contract });
  await assertEnds(trusted.rpcUrl, "refused", "code.refused", { contract }, JSON.stringify({ ...receipt, contract }));
  await assertEnds(trusted.rpcUrl, "undecided", "contract.address", { contract: "" });
});

test("a chain that says otherwise wins", async () => {
  const other = `0x${"12".repeat(32)}`;
  const words = (position, value) => (result) => result.slice(0, 2 + 64 * position) + value + result.slice(66 + 64 * position);
  const onlyView = (signature, change) => (result, [{ data }]) => (data.startsWith(signature) ? change(result) : result);
  const signerOf = keccakOfText("signerOf(address)").slice(0, 10);
  const cases = [
    [{ eth_call: () => `0x${"0".repeat(64)}` }, "refused", "root.none"],
    [{ eth_call: () => other }, "refused", "root.refused"],
    [{ eth_call: () => "0x" }, "undecided", "rpc.no_contract"],
    [{ eth_call: () => null }, "undecided", "rpc.answer"],
    [{ eth_getTransactionReceipt: () => null }, "refused", "transaction.unknown"],
    [{ eth_getTransactionReceipt: () => "0x" }, "undecided", "rpc.answer"],
    [{ eth_getTransactionReceipt: (found) => ({ ...found, logs: [] }) }, "refused", "transaction.refused"],
    [{ eth_getTransactionReceipt: (found) => ({ ...found, status: "0x0" }) }, "refused", "transaction.refused"],
    [{ eth_getTransactionReceipt: (found) => ({ ...found, blockNumber: "0x1" }) }, "refused", "transaction.block"],
    [{ eth_getTransactionReceipt: (found) => ({ ...found, transactionHash: other }) }, "undecided", "transaction.other"],
    [{ eth_getTransactionReceipt: withLogs((log) => ({ ...log, data: words(1, other.slice(2))(log.data) })) }, "refused", "transaction.root"],
    [{ eth_getTransactionReceipt: withLogs((log) => ({ ...log, data: words(2, other.slice(2))(log.data) })) }, "refused", "head.other"],
    [{ eth_getTransactionReceipt: (found) => ({ ...found, logs: found.logs.slice(-1) }) }, "refused", "entry.refused"],
    [{ eth_getTransactionReceipt: (found) => ({ ...found, blockHash: other }) }, "refused", "block.refused"],
    [{ eth_getBlockByNumber: () => null }, "undecided", "block.unknown"],
    [{ eth_getBlockByNumber: (block) => ({ ...block, hash: other }) }, "refused", "block.refused"],
    [{ eth_getBlockByNumber: (block) => ({ ...block, transactions: [] }) }, "refused", "block.refused"],
    [{ eth_getLogs: (logs) => logs.map((log) => ({ ...log, data: words(2, other.slice(2))(log.data) })) }, "refused", "head.refused"],
    [{ eth_getLogs: () => ({}) }, "noted", "head.noted"],
    [{ eth_getTransactionByHash: () => null }, "noted", "signature.noted"],
    [{ eth_getTransactionByHash: (found) => ({ ...found, input: found.input.slice(0, -900) }) }, "noted", "signature.noted"],
    [{ eth_getTransactionByHash: (found) => ({ ...found, input: signedByNobody(found.input) }) }, "refused", "signature.refused"],
    [{ eth_call: onlyView(signerOf, (result) => result.length > 66 ? words(0, "7".padStart(64, "0"))(result) : result) }, "refused", "signature.refused"],
  ];
  for (const [changes, verdict, code] of cases) {
    const rpcUrl = await liar(changes);
    const result = await checkReceipt(text, { ...trusted, rpcUrl });
    const found = result.steps.find((step) => step.verdict !== "passed");
    assert.deepEqual([found?.verdict, found?.code], [verdict, code], `${Object.keys(changes)}\n${told(result)}`);
    assert.equal(result.verdict, verdict === "noted" ? "valid" : verdict);
  }
});

/** A transaction's receipt with the log of its batch, which is the last one, changed. */
function withLogs(change) {
  return (found) => ({ ...found, logs: found.logs.map((log, at) => (at === found.logs.length - 1 ? change(log) : log)) });
}

/** The calldata of a batch of one order, whose signature has another `r`. */
function signedByNobody(input) {
  const at = 2 + 2 * (4 + 3 * 32 + 18);
  return input.slice(0, at) + (input[at] === "0" ? "1" : "0") + input.slice(at + 1);
}
