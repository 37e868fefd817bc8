"""Everything that is planted, the rule that an audit must say is broken, and whom it must name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.audit.planted import banks, lies, onchain
from tests.audit.planted.world import BO, CHEN, World


@dataclass(frozen=True, slots=True)
class Case:
    """Something that does not hold."""

    plant: Callable[[World], Any]
    """Puts it on the chain, or makes the node's lie, or the bank's statement."""
    rule: str
    who: str
    """Whom or what the finding must name."""
    also: tuple[str, ...] = ()
    """What else is broken by it, and must be said, too. Nothing else may be."""

    @property
    def name(self) -> str:
        """What it is called."""
        return self.plant.__name__


# What really stands on the chain, though the contract would have refused it: `onchain.py` says how each is put there.
ON_CHAIN = (
    Case(onchain.forged_signature, "order.unknown_signer", "of merchant 1"),
    Case(onchain.altered_order, "order.unknown_signer", "of merchant 1"),
    Case(onchain.order_of_another_chain, "order.unknown_signer", "of merchant 1"),
    Case(onchain.no_signature, "order.unknown_signer", "of merchant 1"),
    Case(onchain.revoked_key, "order.unknown_signer", "of merchant 1"),
    Case(onchain.key_of_another_merchant, "order.unknown_signer", "of merchant 1"),
    Case(onchain.malleable_signature, "call.signature", "registerAgreement"),
    Case(onchain.unilateral_agreement, "call.signature", "registerAgreement"),
    Case(onchain.altered_terms, "call.signature", "registerAgreement"),
    Case(onchain.terminated_by_nobody, "call.signature", "terminateAgreement"),
    Case(onchain.key_that_nobody_signed_in, "call.signature", "changeSigner"),
    Case(onchain.replay, "order.nonce_used", "of merchant 1"),
    Case(onchain.deadline_passed, "order.deadline_passed", "of merchant 1", ("storage.batch",)),
    Case(onchain.closed_merchant, "order.merchant_closed", "of merchant 3"),
    Case(onchain.paused_network, "call.paused", "execute"),
    Case(onchain.money_during_a_pause, "call.paused", "deposit"),
    Case(onchain.terms_of_a_closed_merchant, "call.merchant", "registerAgreement"),
    Case(onchain.order_left_out, "order.rejected", "of merchant 1", ("entry.missing",)),
    Case(onchain.wrong_fee, "entry.fee", "entry 0 of batch 11"),
    Case(onchain.wrong_rate, "entry.out", "entry 0 of batch 11", ("entry.fee", "entry.settled")),
    Case(onchain.over_instruction_cap, "instruction.over_instruction_cap", "instruction 0 of order"),
    Case(onchain.over_daily_cap, "instruction.over_daily_cap", "instruction 1 of order"),
    Case(onchain.over_issuance_cap, "instruction.over_issuance_cap", "of merchant 2"),
    Case(onchain.cap_lifted_without_notice, "call.events", "setIssuanceCap", ("storage.issuance_cap",)),
    Case(
        onchain.ended_agreement,
        "instruction.agreement_not_live",
        "of merchant 3",
        ("storage.agreement", "storage.batch"),
    ),
    Case(onchain.credit_limit_exceeded, "instruction.insufficient_liquidity", "of merchant 1"),
    Case(
        onchain.more_than_the_member_has,
        "instruction.insufficient_points",
        "of merchant 1",
        ("lots.missing", "storage.balance"),
    ),
    Case(onchain.foreign_program, "instruction.not_program_merchant", "of merchant 3"),
    Case(onchain.reversed_twice, "instruction.over_reversal", "of merchant 3"),
    Case(onchain.deposit_booked_twice, "call.bank_reference", "deposit"),
    Case(onchain.withdrawal_of_too_much, "call.funds", "withdraw"),
    Case(onchain.batch_of_a_stranger, "call.role", "execute", ("roles.without_role",)),
    Case(onchain.merchant_of_a_stranger, "call.role", "registerMerchant", ("roles.without_role",)),
    Case(
        onchain.sender_without_signature,
        "transaction.sender",
        "sender of transaction",
        ("call.role", "roles.without_role", "transaction.hash"),
    ),
    Case(onchain.key_with_two_roles, "roles.two_roles", "0x3c44"),
    Case(onchain.key_used_outside_its_role, "roles.other_use", "0x90f7"),
    Case(onchain.role_key_that_signs_orders, "roles.signs_orders", "merchant 2"),
    Case(onchain.wrong_points, "entry.points", "entry 0 of batch 11", ("storage.balance", "storage.totals")),
    Case(onchain.wrong_member, "entry.member", "entry 0 of batch 11", ("storage.balance",)),
    Case(onchain.invented_entry, "order.invented", "of merchant 1", ("storage.balance", "storage.totals")),
    Case(onchain.dropped_entry, "entry.missing", "instruction 1 of order", ("storage.balance", "storage.totals")),
    Case(onchain.unknown_kind, "entry.kind", "entry 0 of batch 11", ("storage.balance", "storage.totals")),
    Case(
        onchain.unknown_agreement,
        "entry.agreement",
        "entry 0 of batch 11",
        ("storage.agreement", "storage.balance", "storage.position", "storage.totals"),
    ),
    Case(
        onchain.skipped_batch,
        "batch.number",
        "batch 11",
        ("batch.head", "entry.batch", "storage.batch", "storage.head"),
    ),
    Case(onchain.wrong_root, "batch.root", "batch 11"),
    Case(onchain.wrong_head, "batch.head", "batch 11"),
    Case(onchain.wrong_balance, "storage.balance", f"balance of {BO} in program 1"),
    Case(onchain.wrong_position, "storage.position", "position of merchant 2"),
    Case(onchain.wrong_cap, "storage.issuance_cap", "cap of a day's issues of program 2"),
    Case(onchain.wrong_total, "storage.totals", "total redeemed of program 1"),
    Case(onchain.used_nonce, "storage.nonce", "nonce 200 of merchant 1"),
    Case(onchain.unknown_slot, "storage.unknown", ""),
    Case(onchain.code_replaced_for_good, "code.contract", "contract"),
    Case(onchain.lens_replaced, "code.lens", "lens"),
    Case(onchain.expired_points_spent, "lots.expired_spent", CHEN),
    Case(onchain.points_that_did_not_expire, "lots.not_expired", "40 points of 1 account"),
    Case(onchain.expired_too_early, "lots.expired_early", BO),
    Case(onchain.cycle_of_rates, "agreements.cycle", "4"),
)

# What a node says about an honest network. Where an event or a batch is another one, much else follows from it: only the lie itself
# is looked for.
LIES = (
    Case(lies.edited_event, "block.receipts", "block 13"),
    Case(lies.removed_event, "block.receipts", "block 16"),
    Case(lies.swapped_events, "block.receipts", "block 15"),
    Case(lies.edited_calldata, "block.transactions", "block 15"),
    Case(lies.other_sender, "transaction.sender", "sender of transaction"),
    Case(lies.failed_transaction, "block.receipts", "block 13"),
    Case(lies.dropped_batch, "block.transactions", "block 16"),
    Case(lies.dropped_batch_and_roots, "block.hash", "block 16"),
    Case(lies.dropped_batch_and_hash, "block.parent", "block 17"),
    Case(lies.other_time, "block.hash", "block 16"),
    Case(lies.other_state_root, "block.hash", "block 38"),
    Case(lies.other_proof, "storage.proof", ""),
    Case(lies.other_code, "code.contract", "contract"),
)

# What a second node says.
NODES = (
    Case(lies.hidden_blocks, "nodes.behind", "the node at"),
    Case(lies.other_chain_after, "nodes.differ", "block 33"),
)

# What the bank says.
BANK = (
    Case(banks.another_amount, "bank.amount", "BANK-2"),
    Case(banks.a_line_that_nobody_booked, "bank.not_on_chain", "BANK-9"),
    Case(banks.a_deposit_that_never_came, "bank.not_in_statement", "merchant 1"),
    Case(banks.a_deposit_without_money, "bank.not_in_statement", "deposit of merchant 1"),
    Case(banks.the_other_way, "bank.direction", "BANK-3"),
)
