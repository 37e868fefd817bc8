"""Rules of rule sets: what cannot be evaluated is refused when it is written, and what is published never changes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Final

from sqlalchemy.orm import Session

from loyalty.audit_log.service import AuditLog
from loyalty.earning.examples import check
from loyalty.earning.rule_sets import Problem, RuleSet, RuleSetError, read_rule_set, write_rule_set
from loyalty.kit.database import clock_of, lock
from loyalty.kit.errors import Contradiction, FieldFault, Malformed, Unknown
from loyalty.kit.ids import new_id
from loyalty.rule_sets.models import KeptRuleSet
from loyalty.rule_sets.repository import RuleSetRepository

LONGEST_RULE_ID: Final = 48
"""The most characters of a rule's id: it is part of a document number in the network."""


class RuleSetService:
    """Rule sets in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._rule_sets = RuleSetRepository(session)
        self._log = AuditLog(session)

    def add(self, content: str, program: str, *, actor: str) -> KeptRuleSet:
        """Keeps a draft. Raises Malformed with each thing that is wrong, and Contradiction if there is this version already."""
        rule_set = _checked(content)
        lock(self._session, f"rule set:{rule_set.id}")
        if self._rule_sets.version(rule_set.id, rule_set.version) is not None:
            detail = f"there is a version {rule_set.version} of {rule_set.id} already: give it another number"
            raise Contradiction("version_taken", detail, pointer="/rules/version")
        assert rule_set.effective.start is not None, "a set without a beginning is refused when it is read"
        kept = KeptRuleSet(
            id=new_id("rls"),
            name=rule_set.id,
            version=rule_set.version,
            program=program,
            content=write_rule_set(rule_set),
            starts_on=rule_set.effective.start,
            ends_on=rule_set.effective.until,
            published_at=None,
        )
        self._rule_sets.add(kept)
        self._log.note(actor, "rule_set.added", kept.id, after=_named(kept))
        return kept

    def publish(self, rule_set: str, *, actor: str, reason: str) -> KeptRuleSet:
        """Puts a draft into force from its first day on. Doing it again is harmless. Raises Malformed if an example fails."""
        kept = self.get(rule_set, for_update=True)
        if kept.published_at is None:
            if problems := check(content_of(kept)):
                raise _malformed("example_failed", problems)
            kept.published_at = clock_of(self._session).now()
            self._log.note(actor, "rule_set.published", kept.id, reason=reason, after=_named(kept))
        return kept

    def in_force(self, day: date) -> KeptRuleSet | None:
        """The rule set for sales of this day: of all that are in force then, the one that was published last."""
        return self._rule_sets.in_force(day)

    def get(self, rule_set: str, *, for_update: bool = False) -> KeptRuleSet:
        """The rule set with this id. Raises Unknown."""
        kept = self._rule_sets.get(rule_set, for_update=for_update)
        if kept is None:
            raise Unknown("unknown_rule_set", f"there is no rule set {rule_set}")
        return kept

    def page(self, *, cursor: str | None, limit: int) -> tuple[Sequence[KeptRuleSet], str | None]:
        """Rule sets, newest first."""
        return self._rule_sets.page(cursor, limit)


def content_of(kept: KeptRuleSet) -> RuleSet:
    """The rule set, ready to be evaluated."""
    return _read(kept.content)


@lru_cache(maxsize=32)
def _read(content: str) -> RuleSet:
    """Conditions are compiled once: what is kept never changes."""
    return read_rule_set(content)


def _checked(content: str) -> RuleSet:
    try:
        rule_set = read_rule_set(content)
    except RuleSetError as error:
        raise _malformed("bad_rule_set", error.problems) from None
    long = [
        Problem(f"rules[{at}].id", f"must have at most {LONGEST_RULE_ID} characters, not {len(rule.id)}")
        for at, rule in enumerate(rule_set.rules)
        if len(rule.id) > LONGEST_RULE_ID
    ]
    if long:
        raise _malformed("bad_rule_set", long)
    return rule_set


def _malformed(code: str, problems: Sequence[Problem]) -> Malformed:
    faults = tuple(FieldFault("/rules" + _pointer(problem.place), str(problem)) for problem in problems)
    return Malformed(code, "; ".join(fault.detail for fault in faults), faults=faults)


def _pointer(place: str) -> str:
    """`rules[2].effect.points` as a JSON pointer."""
    parts = re.findall(r"[^.\[\]]+", place)
    return "".join(f"/{part}" for part in parts)


def _named(kept: KeptRuleSet) -> dict[str, object]:
    return {"name": kept.name, "version": kept.version, "program": kept.program}
