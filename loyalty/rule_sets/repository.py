"""SQL of rule sets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from loyalty.kit.paging import page_of
from loyalty.rule_sets.models import KeptRuleSet


class RuleSetRepository:
    """Rule sets in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, kept: KeptRuleSet) -> None:
        """Adds a rule set."""
        self._session.add(kept)
        self._session.flush()

    def get(self, rule_set: str, *, for_update: bool = False) -> KeptRuleSet | None:
        """The rule set with this id."""
        return self._session.get(
            KeptRuleSet, rule_set, with_for_update=for_update or None, populate_existing=for_update
        )

    def version(self, name: str, version: int) -> KeptRuleSet | None:
        """The version of a rule set."""
        query = select(KeptRuleSet).where(KeptRuleSet.name == name, KeptRuleSet.version == version)
        return self._session.scalars(query).one_or_none()

    def in_force(self, day: date) -> KeptRuleSet | None:
        """What was published last of all that is in force on a day."""
        query = (
            select(KeptRuleSet)
            .where(
                KeptRuleSet.published_at.is_not(None),
                KeptRuleSet.starts_on <= day,
                or_(KeptRuleSet.ends_on.is_(None), KeptRuleSet.ends_on >= day),
            )
            .order_by(KeptRuleSet.published_at.desc(), KeptRuleSet.id.desc())
            .limit(1)
        )
        return self._session.scalars(query).one_or_none()

    def page(self, cursor: str | None, limit: int) -> tuple[Sequence[KeptRuleSet], str | None]:
        """Rule sets, newest first."""
        return page_of(self._session, select(KeptRuleSet), KeptRuleSet.id, cursor, limit)
