"""Things that really stand on the chain though they must not: each function puts one there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from tests.audit.planted.cheating import (
    BALANCES,
    DAILY_CAP,
    FEE,
    MAX_POINTS,
    MERCHANTS,
    PROGRAMS,
    RATE,
    REVERSED,
    Deed,
    elsewhere,
    empty_block,
    impose,
    mapped,
    nonce_slot,
    observe,
    observe_batch,
    poke,
    poke_agreement,
)
from tests.audit.planted.world import (
    ANNA,
    BO,
    CHEN,
    CINE,
    CINEMA,
    DAY,
    FUEL,
    NEW_EXCHANGE,
    STATION,
    WASH,
    YUAN,
    World,
    acceptance_terms,
    convert,
    exchange_terms,
    issue,
    reverse,
    spend,
)
from tests.contracts.network import private_key
from tongdui.audit.model.clearing_house import FOREVER
from tongdui.audit.model.records import Role, SignerChange, Status
from tongdui.encoding import bytes_of, hex_of, keccak256, text_word, word
from tongdui.orders import (
    Domain,
    Instruction,
    Kind,
    SignedOrder,
    address_of_key,
    execute_calldata,
    full_signature,
    recover_signer,
    sign_digest,
    signer_change_digest,
    termination_digest,
)
from tongdui.receipts import Entry, chain_head, merkle_root

THIEF = keccak256(b"a key that no merchant has")
CAP_OF_CINE = PROGRAMS + 6 * CINE + 5
"""A slot."""
_HALF_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


# -------------------------------------------------------------------- signatures


def _accepted(world: World, merchant: int, signer: str, *orders: SignedOrder) -> None:
    """A batch that is accepted as if `signer` were a key of the merchant."""
    with elsewhere(world):
        world.call(world.admin, "recoverSigner", merchant, signer)
        deed = observe_batch(world, *orders)
    impose(world, deed)


def forged_signature(world: World) -> None:
    """An order with a signature by a key that is no merchant's."""
    _accepted(world, STATION, address_of_key(THIEF), world.order(STATION, issue(BO, 7), key=THIEF))


def altered_order(world: World) -> None:
    """An order whose points were changed after it was signed."""
    signed = world.order(STATION, issue(BO, 7))
    changed = SignedOrder(replace(signed.order, instructions=(issue(BO, 70_000),)), signed.signature)
    _accepted(world, STATION, recover_signer(changed.order.digest(world.domain), changed.signature), changed)


def order_of_another_chain(world: World) -> None:
    """An order that was signed for a contract of the same address on another chain."""
    order = world.order(STATION, issue(BO, 7)).order
    other = order.digest(Domain(1, world.chain.address))
    signed = SignedOrder(order, sign_digest(other, world.keys[STATION]))
    _accepted(world, STATION, recover_signer(order.digest(world.domain), signed.signature), signed)


def no_signature(world: World) -> None:
    """An order without a signature: 64 zero bytes."""
    signed = world.order(STATION, issue(BO, 7))
    with elsewhere(world):
        deed = observe_batch(world, signed)
    deed.data = deed.data.replace(signed.signature, bytes(64))
    impose(world, deed)


def revoked_key(world: World) -> None:
    """An order that was signed with a key that had been revoked."""
    old = private_key(STATION, 0)
    _accepted(world, STATION, address_of_key(old), world.order(STATION, issue(BO, 7), key=old))


def key_of_another_merchant(world: World) -> None:
    """An order of the station that the cinema has signed."""
    signed = world.order(STATION, issue(BO, 7), key=world.keys[CINEMA])
    with elsewhere(world):
        deed = observe_batch(
            world, SignedOrder(signed.order, sign_digest(signed.order.digest(world.domain), world.keys[STATION]))
        )
        genuine = sign_digest(signed.order.digest(world.domain), world.keys[STATION])
    deed.data = deed.data.replace(genuine, signed.signature)
    impose(world, deed)


def malleable_signature(world: World) -> None:
    """An agreement whose second signature was made from the first without the key: -s in place of s."""
    terms = exchange_terms(rate_num=7, supersedes=NEW_EXCHANGE)
    source, target = world.sign_terms(terms)
    s = int.from_bytes(target[32:64], "big")
    turned = target[:32] + word(_HALF_ORDER - s) + bytes([55 - target[64]])
    deed = _registration(world, terms, source, target)
    deed.data = deed.data.replace(target, turned)
    deed.replace(target, turned)
    impose(world, deed)


# -------------------------------------------------------------------- agreements and keys


def _registration(world: World, terms: object, *signatures: bytes, number: int = 4) -> Deed:
    data = world.chain.encode_call("registerAgreement", number, terms, *signatures)
    with elsewhere(world):
        return observe(world, world.operator, data)


def unilateral_agreement(world: World) -> None:
    """An agreement that only one of its merchants has signed, for both."""
    terms = acceptance_terms(unit_price_micros=1)
    source, target = world.sign_terms(terms)
    deed = _registration(world, terms, source, target)
    forged = world.sign_terms(terms, target=world.keys[STATION])[1]
    deed.data = deed.data.replace(target, forged)
    deed.replace(target, forged)
    impose(world, deed)


def altered_terms(world: World) -> None:
    """Terms that were changed after both had signed them."""
    signed, changed = (acceptance_terms(unit_price_micros=price) for price in (9_000, 90_000))
    signatures, genuine = world.sign_terms(signed), world.sign_terms(changed)
    deed = _registration(world, changed, *genuine)
    for old, new in zip(genuine, signatures, strict=True):
        deed.data = deed.data.replace(old, new)
        deed.replace(old, new)
    impose(world, deed)


def terminated_by_nobody(world: World) -> None:
    """An agreement that ends with a signature by neither merchant."""
    when = world.now + DAY
    genuine, forged = (
        full_signature(sign_digest(termination_digest(world.domain, NEW_EXCHANGE, when), key))
        for key in (world.keys[CINEMA], THIEF)
    )
    data = world.chain.encode_call("terminateAgreement", NEW_EXCHANGE, when, CINEMA, genuine)
    with elsewhere(world):
        deed = observe(world, world.stranger, data)
    deed.data = deed.data.replace(genuine, forged)
    impose(world, deed)


def key_that_nobody_signed_in(world: World) -> None:
    """A new key of a merchant, with the signature of a key that is not the merchant's."""
    change = SignerChange(CINEMA, address_of_key(THIEF).lower(), 0, FOREVER, 77)
    digest = signer_change_digest(world.domain, *change)
    genuine, own = (full_signature(sign_digest(digest, key)) for key in (world.keys[CINEMA], THIEF))
    data = world.chain.encode_call("changeSigner", change, genuine, own)
    with elsewhere(world):
        deed = observe(world, world.stranger, data)
    deed.data = deed.data.replace(genuine, own)
    impose(world, deed)


# -------------------------------------------------------------------- admission


def replay(world: World) -> None:
    """An order that was executed before, executed again."""
    signed = world.order(STATION, issue(BO, 7))
    world.batch(signed)
    slot, bit = nonce_slot(STATION, signed.order.nonce)
    with elsewhere(world):
        poke(world, slot, bit, 1, 0)
        deed = observe_batch(world, signed)
    del deed.writes[slot]
    impose(world, deed)


def deadline_passed(world: World) -> None:
    """An order that was executed a day after its deadline."""
    signed = world.order(STATION, issue(BO, 7), deadline=world.now + 60)
    with elsewhere(world):
        deed = observe_batch(world, signed)
    world.pass_time(DAY)
    impose(world, deed)


def closed_merchant(world: World) -> None:
    """An order of a merchant that had left the network."""
    signed = world.order(WASH, spend(BO, 5))
    with elsewhere(world):
        deed = observe_batch(world, signed)
    world.call(world.operator, "setMerchantStatus", WASH, Status.CLOSED)
    impose(world, deed)


def paused_network(world: World) -> None:
    """A batch while the network was paused."""
    signed = world.order(STATION, issue(BO, 7))
    with elsewhere(world):
        deed = observe_batch(world, signed)
    world.call(world.pauser, "pause")
    impose(world, deed)


def money_during_a_pause(world: World) -> None:
    """A deposit while the network was paused."""
    data = world.chain.encode_call("deposit", STATION, YUAN, keccak256(b"BANK-6"))
    with elsewhere(world):
        deed = observe(world, world.treasury, data)
    world.call(world.pauser, "pause")
    impose(world, deed)


def terms_of_a_closed_merchant(world: World) -> None:
    """An agreement with a merchant that had left the network."""
    terms = exchange_terms(rate_num=7)
    deed = _registration(world, terms, *world.sign_terms(terms))
    world.call(world.operator, "setMerchantStatus", CINEMA, Status.CLOSED)
    impose(world, deed)


def order_left_out(world: World) -> None:
    """An order that is refused as if its signer were unknown, though nothing is wrong with it."""
    genuine = world.order(STATION, issue(BO, 7))
    with elsewhere(world):
        deed = observe_batch(world, world.order(STATION, issue(BO, 7), nonce=genuine.order.nonce, key=THIEF))
        refused = sign_digest(genuine.order.digest(world.domain), THIEF)
    deed.data = deed.data.replace(refused, genuine.signature)
    impose(world, deed)


# -------------------------------------------------------------------- terms of an agreement


def _under_other_terms(world: World, what: tuple[int, int, int], value: int, *instructions: Instruction) -> None:
    signed = world.order(STATION, *instructions)
    with elsewhere(world):
        poke_agreement(world, NEW_EXCHANGE, what, value)
        deed = observe_batch(world, signed)
    impose(world, deed)


def wrong_fee(world: World) -> None:
    """An exchange that cost a fee of 50 % instead of 0.1 %; the operator's position has it."""
    _under_other_terms(world, FEE, 5_000, convert(BO, 100, NEW_EXCHANGE))


def wrong_rate(world: World) -> None:
    """An exchange at 9/10, where 8/10 are agreed."""
    _under_other_terms(world, RATE, 9, convert(BO, 100, NEW_EXCHANGE))


def over_instruction_cap(world: World) -> None:
    """An exchange of more points than one may have."""
    world.batch(world.order(STATION, issue(BO, 10_000)))
    _under_other_terms(world, MAX_POINTS, 10_000, convert(BO, 4_000, NEW_EXCHANGE))


def over_daily_cap(world: World) -> None:
    """Two exchanges that together are over the day's cap."""
    world.batch(world.order(STATION, issue(BO, 10_000)))
    two = (convert(BO, 2_900, NEW_EXCHANGE), convert(BO, 2_900, NEW_EXCHANGE))
    _under_other_terms(world, DAILY_CAP, 10_000, *two)


def over_issuance_cap(world: World) -> None:
    """An issue of more than the program's cap of the day."""
    signed = world.order(CINEMA, issue(BO, 1_000_001, CINE))
    with elsewhere(world):
        poke(world, CAP_OF_CINE, 0, 64, 5_000_000)
        deed = observe_batch(world, signed)
    impose(world, deed)


def cap_lifted_without_notice(world: World) -> None:
    """A higher cap that counts on the very day on which it was announced."""
    data = world.chain.encode_call("setIssuanceCap", CINE, 3_000_000)
    with elsewhere(world):
        poke(world, CAP_OF_CINE, 0, 64, 5_000_000)
        deed = observe(world, world.operator, data)
    impose(world, deed)


def ended_agreement(world: World) -> None:
    """A spend under an agreement that had ended."""
    signed = world.order(WASH, spend(BO, 5))
    with elsewhere(world):
        deed = observe_batch(world, signed)
    world.pass_time(3 * DAY)
    impose(world, deed)


def credit_limit_exceeded(world: World) -> None:
    """An exchange that takes the cinema's payer below what it may owe."""
    terms = exchange_terms(rate_num=8, supersedes=NEW_EXCHANGE, unit_price_micros=YUAN, fee_bps=0)
    world.call(world.operator, "registerAgreement", 4, terms, *world.sign_terms(terms))
    world.batch(world.order(STATION, issue(BO, 3_000)))
    signed = world.order(STATION, convert(BO, 2_500, 4))
    with elsewhere(world):
        world.call(world.operator, "setCreditLimit", STATION, 10_000 * YUAN)
        deed = observe_batch(world, signed)
    impose(world, deed)


# -------------------------------------------------------------------- points, money, reversals


def more_than_the_member_has(world: World) -> None:
    """A redemption of points that the member did not have; the cinema's stars beside them pay for it."""
    signed = world.order(STATION, Instruction(Kind.REDEEM, CHEN, 300, FUEL))
    with elsewhere(world):
        poke(world, mapped(BALANCES, int(CHEN, 16)), 0, 64, 1_000)
        deed = observe_batch(world, signed)
    impose(world, deed)


def foreign_program(world: World) -> None:
    """An issue in a program that is another merchant's."""
    signed = world.order(WASH, issue(BO, 7, CINE))
    with elsewhere(world):
        poke(world, PROGRAMS + 6 * CINE, 0, 32, WASH)
        deed = observe_batch(world, signed)
    impose(world, deed)


def reversed_twice(world: World) -> None:
    """A reversal of more points than the original had."""
    original = world.last(Kind.SPEND)
    world.batch(world.order(WASH, reverse(original, original.points)))
    signed = world.order(WASH, reverse(original, original.points))
    with elsewhere(world):
        poke(world, mapped(REVERSED, int.from_bytes(original.leaf(), "big")), 0, 256, 0)
        deed = observe_batch(world, signed)
    impose(world, deed)


def deposit_booked_twice(world: World) -> None:
    """A deposit under the reference of one that is booked already."""
    fresh, used = keccak256(b"fresh"), keccak256(b"BANK-1")
    with elsewhere(world):
        deed = observe(world, world.treasury, world.chain.encode_call("deposit", STATION, YUAN, fresh))
    deed.data = deed.data.replace(fresh, used)
    deed.replace(fresh, used)
    deed.writes = {slot: words for slot, words in deed.writes.items() if words != (0, 1)}
    impose(world, deed)


def withdrawal_of_too_much(world: World) -> None:
    """A withdrawal of money that the merchant did not have."""
    data = world.chain.encode_call("withdraw", WASH, 5 * YUAN, keccak256(b"BANK-4"))
    with elsewhere(world):
        world.call(world.treasury, "deposit", WASH, 9 * YUAN, keccak256(b"BANK-5"))
        deed = observe(world, world.treasury, data)
    impose(world, deed)


# -------------------------------------------------------------------- roles and senders


def batch_of_a_stranger(world: World) -> None:
    """A batch that an account sent which is no sequencer."""
    data = execute_calldata([world.order(STATION, issue(BO, 7))])
    with elsewhere(world):
        world.call(world.admin, "setRole", Role.SEQUENCER, world.stranger, True)
        deed = observe(world, world.stranger, data)
    impose(world, deed)


def merchant_of_a_stranger(world: World) -> None:
    """A merchant that an account registered which is no operator."""
    data = world.chain.encode_call("registerMerchant", 4, text_word("Shell"), address_of_key(THIEF), YUAN)
    with elsewhere(world):
        world.call(world.admin, "setRole", Role.OPERATOR, world.stranger, True)
        deed = observe(world, world.stranger, data)
    impose(world, deed)


def sender_without_signature(world: World) -> None:
    """A batch in a transaction that its sender never signed."""
    nobody = "0x" + "51" * 20
    world.call(world.admin, "setRole", Role.SEQUENCER, nobody, True)
    world.rpc("anvil_impersonateAccount", nobody)
    world.sequencer = nobody
    world.batch(world.order(STATION, issue(BO, 7)))


def key_with_two_roles(world: World) -> None:
    """The sequencer's key also books a deposit, because somebody gave it the treasury's role."""
    world.call(world.admin, "setRole", Role.TREASURY, world.sequencer, True)
    world.call(world.sequencer, "deposit", STATION, 2 * YUAN, keccak256(b"BANK-4"))


def key_used_outside_its_role(world: World) -> None:
    """The treasury's key sends the cinema's change of a key, which anybody may send."""
    change = SignerChange(CINEMA, address_of_key(THIEF).lower(), 0, FOREVER, 77)
    digest = signer_change_digest(world.domain, *change)
    signatures = (full_signature(sign_digest(digest, key)) for key in (world.keys[CINEMA], THIEF))
    world.call(world.treasury, "changeSigner", change, *signatures)


def role_key_that_signs_orders(world: World) -> None:
    """A key that sends batches, and with which a merchant signs its orders."""
    key = keccak256(b"one key for both")
    world.call(world.admin, "setRole", Role.SEQUENCER, address_of_key(key), True)
    world.call(world.admin, "recoverSigner", CINEMA, address_of_key(key))


# -------------------------------------------------------------------- events and journal


def _batch_with_other_events(world: World, change: Callable[[list[Entry]], list[Entry]], *orders: SignedOrder) -> None:
    """A batch whose entries are others than the contract would post. Its root and the head are those of these entries."""
    with elsewhere(world):
        before = world.chain.view("head")
        deed = observe_batch(world, *orders)
        posted = [values[0] for _, (_, values) in world.chain.history(world.chain.height(), world.chain.height())[:-1]]
    told = [replace(entry, index=index) for index, entry in enumerate(change(list(posted)))]
    topics, closed = deed.logs[-1]
    old_root, old_head = closed[32:64], closed[64:96]
    deed.logs = [_log_of(entry, deed.logs[0][0]) for entry in told] + [(topics, word(len(told)) + closed[32:])]
    root = merkle_root([entry.leaf() for entry in told])
    deed.replace(old_root, root)
    deed.replace(old_head, chain_head(before, posted[0].batch, len(told), root))
    impose(world, deed)


def _log_of(entry: Entry, topics: Sequence[bytes]) -> tuple[list[bytes], bytes]:
    head, amounts = entry.abi_encoding()[32:64], entry.abi_encoding()[64:96]
    return [topics[0], bytes(12) + bytes.fromhex(entry.member[2:])], head + amounts + entry.ref


def wrong_points(world: World) -> None:
    """An entry that says ten times as many points as the order."""
    signed = world.order(STATION, issue(BO, 7))
    _batch_with_other_events(world, lambda posted: [replace(posted[0], points=70)], signed)


def wrong_member(world: World) -> None:
    """An entry that gives the points to another member than the order."""
    signed = world.order(STATION, issue(BO, 7))
    _batch_with_other_events(world, lambda posted: [replace(posted[0], member=CHEN)], signed)


def invented_entry(world: World) -> None:
    """An entry that no order asks for."""
    signed = world.order(STATION, issue(BO, 7))
    _batch_with_other_events(world, lambda posted: [*posted, replace(posted[0], points=1_000)], signed)


def dropped_entry(world: World) -> None:
    """Two instructions, of which only one has an entry."""
    signed = world.order(STATION, issue(BO, 7), issue(ANNA, 8))
    _batch_with_other_events(world, lambda posted: posted[:1], signed)


def skipped_batch(world: World) -> None:
    """A batch with the number after the next one."""
    signed = world.order(STATION, issue(BO, 7))
    with elsewhere(world):
        world.batch()
        deed = observe_batch(world, signed)
    impose(world, deed)


def unknown_kind(world: World) -> None:
    """An entry of a kind that there is not."""
    signed = world.order(STATION, issue(BO, 7))
    _batch_with_other_events(world, lambda posted: [replace(posted[0], kind=9)], signed)


def unknown_agreement(world: World) -> None:
    """An entry under an agreement that there is not."""
    signed = world.order(STATION, convert(BO, 100, NEW_EXCHANGE))
    _batch_with_other_events(world, lambda posted: [replace(posted[0], agreement=99)], signed)


def _batch_with_other_end(world: World, at: int) -> None:
    """A batch that closes with another root or head, which the contract keeps."""
    with elsewhere(world):
        deed = observe_batch(world, world.order(STATION, issue(BO, 7)))
    told = deed.logs[-1][1][at : at + 32]
    deed.replace(told, keccak256(told))
    impose(world, deed)


def wrong_root(world: World) -> None:
    """A batch whose root is not that of its entries."""
    _batch_with_other_end(world, 32)


def wrong_head(world: World) -> None:
    """A batch whose head does not follow from the last one."""
    _batch_with_other_end(world, 64)


# -------------------------------------------------------------------- storage and code


def wrong_balance(world: World) -> None:
    """A member's balance, written into the contract's storage."""
    poke(world, mapped(BALANCES, int(BO, 16)), 0, 64, 1_000_000)
    empty_block(world)


def wrong_position(world: World) -> None:
    """A merchant's position, written into the contract's storage."""
    poke(world, MERCHANTS + CINEMA, 160, 96, 10**12)
    empty_block(world)


def wrong_cap(world: World) -> None:
    """A cap that nobody set."""
    poke(world, CAP_OF_CINE, 0, 64, 9_999_999)
    empty_block(world)


def wrong_total(world: World) -> None:
    """The points that a program has redeemed, written into the contract's storage."""
    poke(world, PROGRAMS + 6 * FUEL + 1, 64, 64, 1)
    empty_block(world)


def used_nonce(world: World) -> None:
    """A nonce of a merchant that no order has used, marked as used, so that its order would be refused."""
    poke(world, *nonce_slot(STATION, 200), 1, 1)
    empty_block(world)


def unknown_slot(world: World) -> None:
    """A word in the contract's storage where no rule of the contract writes."""
    poke(world, 2**200, 0, 256, 1)
    empty_block(world)


def code_replaced_for_good(world: World) -> None:
    """Other code at the contract's address: the real one with a few bytes behind it."""
    real = bytes_of(world.rpc("eth_getCode", world.chain.address, "latest"))
    world.rpc("anvil_setCode", world.chain.address, hex_of(real + b"\x00\x2a"))
    empty_block(world)


def lens_replaced(world: World) -> None:
    """Other code at the address of the lens, to which the contract delegates its views."""
    world.rpc("anvil_setCode", world.chain.view("lens"), "0x00")
    empty_block(world)


# -------------------------------------------------------------------- what no contract checks


def expired_points_spent(world: World) -> None:
    """A redemption of points that were over four days before."""
    world.batch(world.order(STATION, issue(CHEN, 40, expiry_day=world.today() + 1)))
    world.pass_time(5 * DAY)
    world.batch(world.order(STATION, Instruction(Kind.REDEEM, CHEN, 110, FUEL)))


def points_that_did_not_expire(world: World) -> None:
    """Points that still stand a week after their day."""
    world.batch(world.order(STATION, issue(CHEN, 40, expiry_day=world.today() + 1)))
    world.pass_time(8 * DAY)
    empty_block(world)


def expired_too_early(world: World) -> None:
    """Points that expired though they are never over."""
    world.batch(world.order(STATION, Instruction(Kind.EXPIRE, BO, 20, FUEL)))


def cycle_of_rates(world: World) -> None:
    """Terms under which a member who exchanges there and back has more than before."""
    terms = exchange_terms(
        source_merchant=CINEMA,
        target_merchant=STATION,
        source_program=CINE,
        target_program=FUEL,
        rate_num=2,
        rate_den=1,
    )
    world.call(world.operator, "registerAgreement", 4, terms, *world.sign_terms(terms))


def deposit_without_money(world: World) -> None:
    """A deposit that the bank knows nothing of."""
    world.call(world.treasury, "deposit", STATION, 3 * YUAN, keccak256(b"BANK-4"))
