"""Random lives of the real contract, each audited at its end: what the contract did by its rules is no finding.

The lives are those of the contract's state machine. Its network is a strange one: it agrees on absurd rates and expires what it
likes. So what is about lots and about cycles may be found; nothing else may. An audit that was stopped on its way and went on must
say the same, to the byte.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from scripts.dev.services import anvil
from tests.contracts.network import found_network
from tests.contracts.test_state_machine import Lives, report
from tests.contracts.twins import Twins
from tests.support.nightly import IS_NIGHTLY, by_day
from tongdui.audit.options import Options, Outcome, Progress
from tongdui.audit.report.files import report_json
from tongdui.audit.run import audit

BUDGET = settings(
    max_examples=by_day(10, at_night=200),
    stateful_step_count=by_day(30, at_night=60),
    derandomize=not IS_NIGHTLY,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
    phases=[Phase.generate],
)
DESERVED = {
    "agreements.cycle",  # the network agrees on 2^32 points for one
    "lots.expired_early",  # plans expire points of any age
    "lots.expired_late",
    "lots.expired_spent",  # no gateway keeps members from using what is over
    "lots.not_expired",
}
"""What this network does and no honest one would."""


class AuditedLives(Lives):
    """Lives that end with an audit."""

    found: ClassVar[Counter[str]] = Counter()

    def contract_model_and_events_agree(self) -> None:
        """The other machine's to look at, after each step."""

    def teardown(self) -> None:
        whole = self._audit()
        self.found.update(finding.rule for finding in whole.findings)
        assert [finding for finding in whole.findings if finding.rule not in DESERVED] == []
        assert {one.what for one in whole.not_checked} == {
            "whether the node shows the chain that others have, up to its end",
            "deposits and withdrawals",
        }
        with tempfile.TemporaryDirectory() as directory:
            created = whole.report.scope.created.number
            last = self.twins.chain.height()
            for end in sorted({created, (created + last) // 2, last - 1}):
                self._audit(state=Path(directory), last=end)
            assert report_json(self._audit(state=Path(directory)).report, {}) == report_json(whole.report, {})

    def _audit(self, **options: Any) -> Outcome:
        chain = self.twins.chain
        return audit(Options(rpc=(chain.node.url,), contract=chain.address, workers=0, **options), _nobody)


def _nobody(_: Progress) -> None:
    pass


@pytest.fixture(scope="module")
def twins() -> Iterator[Twins]:
    with anvil(arguments=("--max-persisted-states", "1000000")) as node:
        twins = Twins(node.url)
        found_network(twins)
        yield twins
        twins.chain.close()


@pytest.mark.slow
@pytest.mark.timeout(by_day(600, at_night=7_200))
def test_an_audit_finds_nothing_in_what_the_contract_did(twins: Twins, record_property: Any) -> None:
    AuditedLives.twins = twins
    AuditedLives.founded = twins.snapshot()
    try:
        run_state_machine_as_test(AuditedLives, settings=BUDGET)
    finally:
        record_property("reached", report(twins.seen + AuditedLives.found))
