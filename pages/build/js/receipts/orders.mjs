// Who signed an entry: the order in the batch's transaction, and the key that its EIP-712 signature recovers to.

import { secp256k1 } from "@noble/curves/secp256k1.js";
import { keccak_256 } from "@noble/hashes/sha3.js";
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";

import { Reader, addressWord, digits, keccakOfHex, keccakOfText, word } from "./exact.mjs";

const EXECUTE = keccakOfText("execute(bytes,((address,uint256,uint256,bytes32,bytes32),bytes32[])[])").slice(2, 10);
const DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
const INSTRUCTION_TYPE =
  "Instruction(uint8 kind,uint32 program,uint32 agreement,address member,uint64 points,uint64 minOut," +
  "uint32 expiryDay,bytes32 link,bytes32 ref)";
const ORDER_TYPE = "Order(uint32 merchant,uint48 nonce,uint40 deadline,bool atomic,Instruction[] instructions)";
const ZERO_WORD = "0".repeat(64);
const HALF = 1n << 255n;

const hashed = (text) => digits(keccakOfText(text));

/** The order of a batch's transaction that has this merchant and nonce, or null. `input` is the transaction's calldata. */
export function findOrder(input, merchant, nonce) {
  try {
    const calldata = new Reader(digits(input));
    if (calldata.take(4) !== EXECUTE) return null;
    calldata.take(Number(calldata.number(32)) - 32); // the first argument says where its bytes begin
    const orders = new Reader(calldata.take(Number(calldata.number(32))));
    while (!orders.isDone) {
      const order = readOrder(orders);
      if (order.merchant === merchant && order.nonce === nonce) return order;
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // cut off: it is not the call of a batch
  }
  return null;
}

/** The digest that the merchant signed. */
export function orderDigest(order, chainId, contract) {
  const domain = digits(
    keccakOfHex(hashed(DOMAIN_TYPE) + hashed("Tongdui") + hashed("1") + word(chainId) + addressWord(contract)),
  );
  const instructions = digits(keccakOfHex(order.instructions.map(instructionHash).join("")));
  const struct = keccakOfHex(
    hashed(ORDER_TYPE + INSTRUCTION_TYPE) +
      word(order.merchant) +
      word(order.nonce) +
      word(order.deadline) +
      word(order.atomic ? 1 : 0) +
      instructions,
  );
  return keccakOfHex(`1901${domain}${digits(struct)}`);
}

/** The address whose key made a compact signature (ERC-2098), or null if none did. */
export function signerOf(digest, compact) {
  const vs = BigInt(`0x${compact.slice(64)}`);
  const parity = vs >= HALF ? "01" : "00";
  const signature = hexToBytes(parity + compact.slice(0, 64) + word(vs % HALF));
  try {
    const key = secp256k1.recoverPublicKey(signature, hexToBytes(digits(digest)), { prehash: false });
    const point = secp256k1.Point.fromBytes(key).toBytes(false);
    return `0x${bytesToHex(keccak_256(point.slice(1))).slice(24)}`;
  } catch {
    return null;
  }
}

function readOrder(reader) {
  const [merchant, nonce, deadline, flags, count] = [4, 6, 5, 1, 2].map((size) => reader.number(size));
  const signature = reader.take(64);
  const instructions = Array.from({ length: Number(count) }, () => readInstruction(reader));
  return { merchant, nonce, deadline, atomic: (flags & 1n) === 1n, signature, instructions };
}

function readInstruction(reader) {
  const [flags, kind, program, agreement, expiryDay, points, minOut] = [1, 1, 4, 4, 4, 8, 8].map((size) =>
    reader.number(size),
  );
  reader.take(2); // position of its evidence
  const member = `0x${reader.take(20)}`;
  const ref = reader.take(32);
  const link = flags & 1n ? reader.take(32) : ZERO_WORD;
  return { kind, program, agreement, expiryDay, points, minOut, member, ref, link };
}

function instructionHash(instruction) {
  const { kind, program, agreement, member, points, minOut, expiryDay, link, ref } = instruction;
  const encoded =
    [kind, program, agreement].map(word).join("") +
    addressWord(member) +
    [points, minOut, expiryDay].map(word).join("") +
    link +
    ref;
  return digits(keccakOfHex(hashed(INSTRUCTION_TYPE) + encoded));
}
