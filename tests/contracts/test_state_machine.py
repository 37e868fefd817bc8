"""Hypothesis drives the contract and the reference model through the same life and finds the first difference.

After every step all balances, positions, totals, events, roots and the head are compared, and the contract's state is rebuilt from
its events alone. After every life, so is the root of the contract's storage, in which each slot counts.
`HYPOTHESIS_PROFILE=nightly` looks longer, and at other lives each time.
"""

from __future__ import annotations

import copy
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from scripts.dev.services import Anvil
from tests.contracts.network import (
    AGREEMENTS,
    DAY,
    MEMBERS,
    MERCHANTS,
    PROGRAMS,
    address,
    endow,
    found_network,
    private_key,
    sign_terms,
)
from tests.contracts.plans import Drafter, OrderPlan, orders
from tests.contracts.twins import UTC_OFFSET, Twins
from tongdui.audit.model.clearing_house import FOREVER, MAX_CREDIT_LIMIT, ClearingHouse
from tongdui.audit.model.records import SignerChange, Status
from tongdui.encoding import keccak256, word
from tongdui.orders import (
    UINT64_MAX,
    AgreementTerms,
    Kind,
    Reason,
    full_signature,
    sign_digest,
    signer_change_digest,
    termination_digest,
)

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
BUDGET = settings(
    max_examples=1_000 if NIGHTLY else 15,
    stateful_step_count=60 if NIGHTLY else 30,
    derandomize=not NIGHTLY,  # the same lives in every run of CI, new ones every night
    deadline=None,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)
CONVERSIONS = st.sampled_from([Kind.EXCHANGE, Kind.EXCHANGE, Kind.SPEND])

some_merchant = st.sampled_from([*MERCHANTS, *MERCHANTS, *MERCHANTS, 0, 99])
some_program = st.sampled_from([*PROGRAMS, *PROGRAMS, 0, 7])
some_micros = st.one_of(st.integers(1, 50_000_000), st.sampled_from([0, 1, 2**95, 2**96 - 1]))
some_cap = st.one_of(st.integers(1, 9_000), st.sampled_from([0, 0, 1, UINT64_MAX]))
some_wait = st.sampled_from([1, 60, 3_600, 5 * 3_600, DAY, 3 * DAY, 12 * DAY])
near = st.sampled_from([-DAY, -1, 0, 1, 2, 3_600, DAY, 5 * DAY])
some_conversions = st.lists(orders(CONVERSIONS), min_size=1, max_size=5)
rarely = st.integers(0, 9).map(lambda n: n == 9)


some_changes: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.fixed_dictionaries({}, optional={"fee_bps": st.integers(0, 10_000), "initiators": st.sampled_from([1, 3])}),
    st.fixed_dictionaries({"max_points": st.integers(1, 500), "daily_cap": st.integers(500, 900)}),
    st.sampled_from(
        [
            *({field: 0} for field in ("kind", "initiators", "rate_num", "rate_den", "max_points", "target_program")),
            *({field: 99} for field in ("source_merchant", "target_merchant", "source_program", "target_program")),
            *({"target_program": program} for program in PROGRAMS),
            {"initiators": 2},
            {"initiators": 4},
            {"fee_bps": 10_001},
            {"daily_cap": 1},
            {"valid_until": 1},
            {"lifetime_days": 2**16 - 1},
            {"rate_num": 7},
            {"source_merchant": 3},
            {"target_merchant": 1},
            {"grace_seconds": 7 * DAY + 1},
            {"accept_by": 1},
            {"accept_by": 2**40 - 1, "keep_expiry": True},
            {"supersedes": 1},
            {"supersedes": 77},
        ]
    ),
)


class Lives(RuleBasedStateMachine):
    """What may happen to the network, in any order."""

    twins: ClassVar[Twins]
    founded: ClassVar[Any]  # a snapshot of the network before its first day

    def __init__(self) -> None:
        super().__init__()
        cls = type(self)
        cls.founded = cls.twins.restore(cls.founded)
        self.drafter = Drafter(cls.twins)
        self.documents = 0
        self.compared_at = 0

    @property
    def model(self) -> ClearingHouse:
        return self.twins.model

    # ---------------------------------------------------------------- batches

    @initialize(points=st.lists(st.integers(100, 9_000), min_size=6, max_size=6), funds=st.integers(0, 30_000_000))
    def members_have_points_and_the_market_has_money(self, points: list[int], funds: int) -> None:
        endow(self.twins, points)
        self._deposit_or_withdraw("deposit", 3, funds, keccak256(b"endowment"))

    @rule(plans=st.lists(orders(), min_size=1, max_size=5), with_evidence=st.sampled_from([True] * 9 + [False]))
    def a_batch_of_anything(self, plans: list[OrderPlan], with_evidence: bool) -> None:
        self._execute(plans, with_evidence)

    @rule(plans=some_conversions)
    def a_batch_of_exchanges_and_spends(self, plans: list[OrderPlan]) -> None:
        self._execute(plans)

    @rule(plans=st.lists(orders(st.just(Kind.REVERSE)), min_size=1, max_size=5))
    def a_batch_of_reversals(self, plans: list[OrderPlan]) -> None:
        self._execute(plans)

    @rule(plan=orders(CONVERSIONS), short=st.sampled_from([0, 0, 1]))
    def a_payer_can_just_afford_it(self, plan: OrderPlan, short: int) -> None:
        """The credit limit is set to what the order takes, or to one micro less."""
        batch = self.drafter.draft([plan])
        trial = copy.deepcopy(self.model)
        for number, merchant in trial.merchants.items():
            trial.merchants[number] = merchant._replace(credit_limit=MAX_CREDIT_LIMIT)
        trial.execute(self.twins.sequencer, batch.orders, lambda _: None)
        for number, merchant in trial.merchants.items():
            if merchant.position < self.model.merchants[number].position:
                limit = max(0, -merchant.position - short)
                self.twins.call(self.twins.operator, "set_credit_limit", number, limit)
        self.twins.execute(batch.orders, None)

    # Hypothesis picks each name as often as any other, and batches are what this is about.
    a_batch_after_a_batch = a_third_batch = a_fourth_batch = a_batch_of_anything
    more_exchanges_and_spends = still_more_exchanges_and_spends = a_batch_of_exchanges_and_spends

    def _execute(self, plans: list[OrderPlan], with_evidence: bool = True) -> None:
        batch = self.drafter.draft(plans)
        self.twins.execute(batch.orders, batch.evidence_of if with_evidence else None)

    # ---------------------------------------------------------------- time

    @rule(seconds=some_wait)
    def time_passes(self, seconds: int) -> None:
        self._wait_until(self.twins.now + seconds)

    @rule(seconds=st.sampled_from([-1, 0, 1]), plans=some_conversions)
    def a_batch_around_midnight(self, seconds: int, plans: list[OrderPlan]) -> None:
        self._wait_until((self.twins.now + UTC_OFFSET) // DAY * DAY + DAY - UTC_OFFSET + seconds)
        self._execute(plans)

    @rule(pick=st.integers(0, 20), seconds=st.sampled_from([-1, 0]), plans=some_conversions)
    def a_batch_when_an_agreement_begins_or_ends(self, pick: int, seconds: int, plans: list[OrderPlan]) -> None:
        terms = [a.terms for a in self.model.agreements.values()]
        moments = sorted({t.valid_from for t in terms} | {t.valid_until for t in terms})
        soon = [m for m in moments if self.twins.now < m < self.twins.now + 60 * DAY]
        if soon:
            self._wait_until(soon[pick % len(soon)] + seconds)
            self._execute(plans)

    def _wait_until(self, moment: int) -> None:
        """The next block will be of this moment."""
        self.twins.now = max(self.twins.now, moment - 1)

    # ---------------------------------------------------------------- settlement

    @rule(
        way=st.sampled_from(["deposit", "withdraw"]), merchant=some_merchant, micros=some_micros, ref=st.integers(0, 30)
    )
    def money_moves_at_the_bank(self, way: str, merchant: int, micros: int, ref: int) -> None:
        self._deposit_or_withdraw(way, merchant, micros, keccak256(word(ref)))

    @rule(more=st.sampled_from([0, 0, 1]))
    def everybody_takes_its_money_out(self, more: int) -> None:
        """As far as the bank has it. Now and then, a micro more than it has is asked for."""
        for number, merchant in self.model.merchants.items():
            micros = min(merchant.position, self.model.funds + more)
            if micros > 0:
                ref = keccak256(f"out {number} {self.twins.now}".encode())
                self._deposit_or_withdraw("withdraw", number, micros, ref)

    @rule(merchant=some_merchant, micros=some_micros, stranger=rarely)
    def a_credit_limit_changes(self, merchant: int, micros: int, stranger: bool) -> None:
        by = self.twins.stranger if stranger else self.twins.operator
        self.twins.call(by, "set_credit_limit", merchant, micros)

    def _deposit_or_withdraw(self, way: str, merchant: int, micros: int, bank_ref: bytes) -> None:
        self.twins.refs_tried.add(bank_ref)
        self.twins.call(self.twins.treasury, way, merchant, micros, bank_ref)

    # ---------------------------------------------------------------- suspension and pause

    @rule(merchant=some_merchant, status=st.sampled_from([*Status, Status.SUSPENDED, Status.SUSPENDED]))
    def a_merchant_changes_its_status(self, merchant: int, status: Status) -> None:
        self.twins.call(self.twins.operator, "set_merchant_status", merchant, status)

    @rule(program=some_program, paused=st.booleans(), stranger=rarely)
    def a_program_is_paused(self, program: int, paused: bool, stranger: bool) -> None:
        by = self.twins.stranger if stranger else self.twins.pauser
        self.twins.call(by, "set_program_paused", program, paused)

    @rule(program=some_program, points=some_cap, stranger=rarely)
    def a_program_gets_a_cap(self, program: int, points: int, stranger: bool) -> None:
        by = self.twins.stranger if stranger else self.twins.operator
        self.twins.call(by, "set_issuance_cap", program, points)

    @precondition(lambda self: self.model.today() % 2 == 0 or self._anything_stopped())
    @rule()
    def everything_that_can_runs_again(self) -> None:
        for merchant, m in self.model.merchants.items():
            if m.status == Status.SUSPENDED:
                self.twins.call(self.twins.operator, "set_merchant_status", merchant, Status.ACTIVE)
        for program, p in self.model.programs.items():
            if p.paused:
                self.twins.call(self.twins.pauser, "set_program_paused", program, False)

    def _anything_stopped(self) -> bool:
        suspended = any(m.status == Status.SUSPENDED for m in self.model.merchants.values())
        return suspended or any(p.paused for p in self.model.programs.values())

    @rule(plans=st.lists(orders(), max_size=2))
    def the_network_is_paused_for_a_moment(self, plans: list[OrderPlan]) -> None:
        for call in ("unpause", "pause", "pause"):
            self.twins.call(self.twins.pauser, call)
        self._execute(plans)
        self.twins.call(self.twins.pauser, "unpause")

    # ---------------------------------------------------------------- agreements

    @rule(base=st.sampled_from(AGREEMENTS), changes=some_changes, forged=rarely, twin=rarely)
    def two_merchants_agree(self, base: AgreementTerms, changes: dict[str, Any], forged: bool, twin: bool) -> None:
        now = self.twins.now
        terms = base if twin else replace(base, valid_from=now, valid_until=now + 30 * DAY, document=self._document())
        self._register(replace(terms, **changes), forged)

    @rule(pick=st.integers(0, 20), grace=st.sampled_from([0, 60, DAY, 7 * DAY]), rate=st.integers(1, 10))
    def an_agreement_is_superseded(self, pick: int, grace: int, rate: int) -> None:
        number = 1 + pick % len(self.model.agreements)
        old = self.model.agreements[number].terms
        until = max(old.valid_until, self.twins.now + DAY)
        new = replace(old, supersedes=number, grace_seconds=grace, valid_until=until, document=self._document())
        self._register(replace(new, rate_num=rate) if old.kind == 1 else new)

    @rule(pick=st.integers(0, 20), when=near, merchant=some_merchant, key=st.sampled_from([0, 0, 0, 1]))
    def an_agreement_is_terminated(self, pick: int, when: int, merchant: int, key: int) -> None:
        number = pick % (len(self.model.agreements) + 2)  # 0 and the last one do not exist
        if number in self.model.agreements and merchant == 0:
            merchant = self.model.agreements[number].terms.target_merchant
        moment = self.twins.now + when
        digest = termination_digest(self.twins.chain.domain, number, moment)
        signature = full_signature(sign_digest(digest, private_key(merchant, key)))
        self.twins.call(self.twins.stranger, "terminate_agreement", number, moment, merchant, signature)

    def _document(self) -> bytes:
        self.documents += 1
        return keccak256(word(self.documents))

    def _register(self, terms: AgreementTerms, forged: bool = False) -> None:
        number = len(self.model.agreements) + 1
        source, target = sign_terms(self.twins, terms)
        signatures = (target, target) if forged else (source, target)
        self.twins.call(self.twins.operator, "register_agreement", number, terms, *signatures)

    # ---------------------------------------------------------------- keys

    @rule(
        merchant=st.sampled_from(MERCHANTS),
        owner=st.sampled_from([None, None, None, None, 1, 2]),
        number=st.integers(0, 2),
        by=st.sampled_from([0, 0, 1, 2]),
        since=near,
        until=st.sampled_from([-DAY, 0, 2, DAY, FOREVER, FOREVER]),
        old_nonce=rarely,
        unproven=rarely,
    )
    def a_merchant_changes_a_key(
        self,
        merchant: int,
        owner: int | None,
        number: int,
        by: int,
        since: int,
        until: int,
        old_nonce: bool,
        unproven: bool,
    ) -> None:
        now = self.twins.now
        key = address(owner or merchant, number)
        valid_until = FOREVER if until == FOREVER else now + until
        nonce = 0 if old_nonce else self.drafter.take_nonce(merchant)
        change = SignerChange(merchant, key, now + since, valid_until, nonce)
        digest = signer_change_digest(self.twins.chain.domain, *change)
        signature = full_signature(sign_digest(digest, private_key(merchant, by)))
        proof = signature if unproven else full_signature(sign_digest(digest, private_key(owner or merchant, number)))
        self.twins.tried.add((merchant, nonce))
        self.twins.call(self.twins.stranger, "change_signer", change, signature, proof)

    @rule(merchant=st.sampled_from(MERCHANTS), number=st.integers(0, 2), until=near)
    def a_stolen_key_is_revoked(self, merchant: int, number: int, until: int) -> None:
        self.twins.call(self.twins.operator, "revoke_signer", address(merchant, number), self.twins.now + until)

    @rule(merchant=some_merchant, number=st.integers(0, 2), stranger=rarely)
    def a_lost_key_is_replaced(self, merchant: int, number: int, stranger: bool) -> None:
        by = self.twins.stranger if stranger else self.twins.admin
        self.twins.call(by, "recover_signer", merchant, address(merchant, number))

    # ---------------------------------------------------------------- what always holds

    @invariant()
    def contract_model_and_events_agree(self) -> None:
        if self.compared_at != self.model.now:  # else nothing happened
            self.twins.compare(MEMBERS)
            self.twins.compare_rebuilt()
            self.compared_at = self.model.now

    def teardown(self) -> None:
        self.twins.compare_storage()

    @invariant()
    def books_add_up(self) -> None:
        """Invariants 1 to 3 of the design, on the model; the contract's state was just found to be the same."""
        in_circulation: Counter[int] = Counter()
        for (_, program), points in self.model.balances.items():
            assert points >= 0
            in_circulation[program] += points
        assert all(in_circulation[n] == p.supply() for n, p in self.model.programs.items())
        assert sum(m.position for m in self.model.merchants.values()) == self.model.funds
        assert self.model.funds >= 0
        assert all(m.position >= -m.credit_limit for m in self.model.merchants.values())


@pytest.fixture(scope="module")
def twins(chain: Anvil) -> Iterator[Twins]:
    twins = Twins(chain.url)
    found_network(twins)
    yield twins
    twins.chain.close()


@pytest.mark.slow
@pytest.mark.timeout(7_200 if NIGHTLY else 1_800)
def test_contract_and_model_live_the_same_life(twins: Twins, record_property: Any) -> None:
    Lives.twins = twins
    Lives.founded = twins.snapshot()
    try:
        run_state_machine_as_test(Lives, settings=BUDGET)
    finally:
        record_property("reached", report(twins.seen))
    if not NIGHTLY:
        return  # the tour in test_reasons.py goes to every one of them
    unreached = [f"kind {kind.label}" for kind in Kind if not twins.seen[f"kind {kind.label}"]]
    unreached += [f"reason {r.code}" for r in Reason if r and not twins.seen[f"reason {r.code}"]]
    assert unreached == [], "Hypothesis found no way to these; give it better plans"


def report(seen: Counter[str]) -> str:
    """How often each kind, reason, error and other event was reached."""
    return "\n".join(f"{count:7} {what}" for what, count in sorted(seen.items()))
