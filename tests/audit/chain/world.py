"""A chain on which everything happened that the reader must read: each call, each event, and transactions of several kinds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from eth_account import Account
from eth_utils.address import to_checksum_address

from tests.contracts.network import (
    CINEMA,
    FUEL,
    MARKET,
    MEMBERS,
    endow,
    found_network,
    private_key,
    sign_order,
)
from tests.contracts.twins import Twins
from tongdui.audit.model.clearing_house import FOREVER, Event
from tongdui.audit.model.records import Role, SignerChange, Status
from tongdui.encoding import address_word, hex_of, keccak256, text_word
from tongdui.orders import (
    Instruction,
    Kind,
    Order,
    SignedOrder,
    address_of_key,
    full_signature,
    sign_digest,
    signer_change_digest,
    termination_digest,
)
from tongdui.receipts import Evidence

Json = dict[str, Any]

PHRASE = "test test test test test test test test test test test junk"
FORWARDER = "602036038060206000376000600082600060006000355af100"
"""Calls the address in the first word of its data with the rest of it."""


@dataclass
class World:
    """What happened, and what the reader must say about it."""

    twins: Twins
    events: list[Event]
    """In order: those of the model, and of calls that the model does not have."""
    orders: list[SignedOrder] = field(default_factory=list)
    """Of the batch with a reversal."""
    evidence: tuple[Evidence, ...] = ()
    batch_block: int = 0
    mixed_block: int = 0
    """With transactions of three types. Three call the contract, and the third call fails."""
    borrowed_block: int = 0
    """With a transaction of type 4, and a call of the contract."""
    empty_blocks: range = range(0)
    forwarder: str = ""
    last: int = 0


def build(url: str) -> World:
    """Makes everything happen."""
    twins = Twins(url)
    found_network(twins)
    endow(twins, [500] * 6)
    world = World(twins, [])
    _change_registry(twins)
    _settle(twins)
    _execute(world)
    twins.chain.rpc("anvil_mine", hex(40))
    world.empty_blocks = range(world.batch_block + 1, world.batch_block + 41)
    twins.now += 100
    world.events = [(name, tuple(values)) for name, values in twins.model.events]
    _call_what_the_model_lacks(world)
    world.mixed_block = _mine(world, _of_three_types(world))
    world.borrowed_block = _mine(world, _with_borrowed_code(world))
    world.events += [("Paused", (twins.pauser,)), ("Unpaused", (twins.pauser,)), ("Paused", (twins.pauser,))]
    world.last = twins.chain.height()
    return world


def _change_registry(twins: Twins) -> None:
    change = SignerChange(FUEL, address_of_key(private_key(FUEL, 1)).lower(), 0, FOREVER, 77)
    digest = signer_change_digest(twins.chain.domain, *change)
    signatures = [full_signature(sign_digest(digest, private_key(FUEL, number))) for number in (0, 1)]
    assert twins.call(twins.stranger, "change_signer", change, *signatures) is None
    assert twins.call(twins.operator, "revoke_signer", change.key, twins.now) is None
    assert twins.call(twins.admin, "recover_signer", MARKET, address_of_key(private_key(MARKET, 2)).lower()) is None
    assert twins.call(twins.operator, "set_merchant_status", CINEMA, Status.SUSPENDED) is None
    assert twins.call(twins.operator, "set_merchant_status", CINEMA, Status.ACTIVE) is None
    assert twins.call(twins.operator, "set_issuance_cap", 6, 100) is None
    assert twins.call(twins.pauser, "set_program_paused", 6, True) is None
    assert twins.call(twins.pauser, "pause") is None
    assert twins.call(twins.pauser, "unpause") is None
    assert twins.call(twins.stranger, "pause") is not None  # it fails
    end = termination_digest(twins.chain.domain, 9, FOREVER)
    signature = full_signature(sign_digest(end, private_key(MARKET, 0)))
    assert twins.call(twins.stranger, "terminate_agreement", 9, FOREVER, MARKET, signature) is None


def _settle(twins: Twins) -> None:
    assert twins.call(twins.treasury, "deposit", FUEL, 10**9, text_word("in 1")) is None
    assert twins.call(twins.treasury, "withdraw", FUEL, 10**6, text_word("out 1")) is None
    assert twins.call(twins.operator, "set_credit_limit", FUEL, 10**8) is None


def _execute(world: World) -> None:
    """A batch with a transfer, a reversal, refusals of both kinds, and signatures of nobody."""
    twins = world.twins
    entry = next(entry for entry in twins.entries() if entry.merchant == FUEL)
    reversal = Instruction(Kind.REVERSE, entry.member, 3, entry.program, link=entry.leaf())
    transfer = Instruction(Kind.TRANSFER, MEMBERS[0], 5, 1, link=address_word(MEMBERS[1]))
    too_much = Instruction(Kind.REDEEM, MEMBERS[0], 10**9, 1)
    orders = [
        sign_order(twins, Order(FUEL, nonce, FOREVER, tuple(instructions), atomic), private_key(FUEL, 0))
        for nonce, instructions, atomic in (
            (1, [transfer, reversal], False),
            (2, [too_much, reversal], False),
            (3, [transfer, too_much], True),
            (4, [transfer], False),
        )
    ]
    forged, malformed = (replace(orders[3], signature=signature) for signature in (orders[0].signature, b"\xff" * 64))
    world.evidence = (twins.evidence(entry),) * 2
    world.orders = [*orders[:3], forged, malformed]
    twins.execute(world.orders, lambda instruction: world.evidence[0])
    world.batch_block = twins.chain.height()


def _call_what_the_model_lacks(world: World) -> None:
    twins = world.twins
    chain, admin, heir = twins.chain, twins.admin, twins.stranger
    world.events += _transact(twins, admin, "transferOwnership", heir)
    world.events += _transact(twins, heir, "acceptOwnership")
    code = f"0x60{len(FORWARDER) // 2:02x}600c60003960{len(FORWARDER) // 2:02x}6000f3" + FORWARDER
    made = chain.rpc("eth_sendTransactionSync", {"from": admin, "data": code, "gas": "0xfffff", "gasPrice": "0x0"})
    world.forwarder = made["contractAddress"].lower()
    world.events += _transact(twins, heir, "setRole", Role.PAUSER, world.forwarder, True)
    for name in ("pause", "unpause"):
        data = hex_of(address_word(chain.address) + chain.encode_call(name))
        call = {"from": twins.stranger, "to": world.forwarder, "data": data, "gas": "0xfffff", "gasPrice": "0x0"}
        assert chain.rpc("eth_sendTransactionSync", call)["status"] == "0x1"
    world.events += [("Paused", (world.forwarder,)), ("Unpaused", (world.forwarder,))]


def _transact(twins: Twins, by: str, function: str, *arguments: Any) -> list[Event]:
    twins.now += 1
    return twins.chain.transact(twins.now, by, function, *arguments)


def _mine(world: World, raw: list[bytes]) -> int:
    """One block with these transactions, in this order; returns its number."""
    rpc = world.twins.chain.rpc
    rpc("evm_setAutomine", False)
    for one in raw:
        rpc("eth_sendRawTransaction", hex_of(one))
    rpc("anvil_mine")
    rpc("evm_setAutomine", True)
    assert len(rpc("eth_getBlockByNumber", "latest", False)["transactions"]) == len(raw)
    return world.twins.chain.height()


class _Sender:
    """Signs what anvil's account of a role sends."""

    def __init__(self, world: World, account: str) -> None:
        Account.enable_unaudited_hdwallet_features()
        number = world.twins.chain.accounts.index(account)
        self.key = Account.from_mnemonic(PHRASE, account_path=f"m/44'/60'/0'/0/{number}").key
        self._rpc = world.twins.chain.rpc
        self._chain_id = world.twins.chain.domain.chain_id
        self.nonce = int(self._rpc("eth_getTransactionCount", account, "latest"), 16)

    def sign(self, **fields: Any) -> bytes:
        usual = {"nonce": self.nonce, "gas": 200_000, "value": 0, "chainId": self._chain_id, "data": "0x"}
        self.nonce += 1
        fields["to"] = to_checksum_address(fields["to"])
        return bytes(Account.sign_transaction({**usual, **fields}, self.key).raw_transaction)


def _of_three_types(world: World) -> list[bytes]:
    sender = _Sender(world, world.twins.pauser)
    chain = world.twins.chain
    access = [{"address": to_checksum_address(chain.address), "storageKeys": ["0x" + "00" * 32]}]
    pause, unpause = (hex_of(chain.encode_call(name)) for name in ("pause", "unpause"))
    fees = {"maxFeePerGas": 0, "maxPriorityFeePerGas": 0}
    return [
        sender.sign(type=1, to=chain.address, data=pause, gasPrice=0, accessList=access),
        sender.sign(type=2, to=chain.address, data=unpause, **fees),
        sender.sign(to=chain.address, data=unpause, gasPrice=0),
        sender.sign(to="0x" + "56" * 20, value=5, gasPrice=0),
    ]


def _with_borrowed_code(world: World) -> list[bytes]:
    sender = _Sender(world, world.twins.pauser)
    chain = world.twins.chain
    permit = {"chainId": chain.domain.chain_id, "address": "0x" + "00" * 20, "nonce": 0}
    permits = [Account.sign_authorization(permit, keccak256(b"somebody else"))]
    fees = {"maxFeePerGas": 0, "maxPriorityFeePerGas": 0}
    return [
        sender.sign(type=2, to=chain.address, data=hex_of(chain.encode_call("pause")), **fees),
        sender.sign(type=4, to="0x" + "56" * 20, authorizationList=permits, **fees),
    ]
