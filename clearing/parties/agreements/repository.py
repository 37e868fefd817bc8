"""SQL of agreements, and of what they have used of their daily caps."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, not_, or_, select
from sqlalchemy.orm import Session

from clearing.kit.in_list import in_list
from clearing.kit.locks import lock_until_commit
from clearing.kit.paging import equal_given, newest_first
from clearing.kit.upsert import add_all, insert_for
from clearing.parties.agreements.models import Agreement, AgreementKind, AgreementState, AgreementUse, Route

REGISTERED = (AgreementState.ACTIVE, AgreementState.SUPERSEDED, AgreementState.TERMINATED)
"""States of agreements on the chain. Whether one can still be used depends on `valid_from` and `usable_until`."""
IN_FORCE = (AgreementState.PROPOSED, AgreementState.ACCEPTED, *REGISTERED)
"""States of agreements that are on the chain or may still get there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementFilter:
    """Which agreements a list shows. What is None does not matter."""

    at: int
    """Unix seconds: whether a proposal has lapsed depends on the time."""
    parties: tuple[int, ...] = ()
    """Numbers of merchants that are all parties to it."""
    kind: int | None = None
    program: int | None = None
    """On either side."""
    state: AgreementState | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The conditions that an agreement must satisfy."""
        conditions = [_is_party(number) for number in self.parties]
        conditions += equal_given((Agreement.kind, self.kind))
        if self.program is not None:
            conditions.append(or_(Agreement.source_program == self.program, Agreement.target_program == self.program))
        return conditions + self._of_state()

    def _of_state(self) -> list[ColumnElement[bool]]:
        has_lapsed = and_(Agreement.accept_by != 0, Agreement.accept_by < self.at)
        match self.state:
            case AgreementState.LAPSED:
                return [Agreement.state == AgreementState.PROPOSED, has_lapsed]
            case AgreementState.PROPOSED:
                return [Agreement.state == AgreementState.PROPOSED, not_(has_lapsed)]
            case _:
                return equal_given((Agreement.state, self.state))


class AgreementRepository:
    """Agreements in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, agreement: Agreement) -> None:
        """Stores an agreement."""
        self._session.add(agreement)
        self._session.flush()

    def by_id(self, id: str) -> Agreement | None:  # noqa: A002
        """The agreement with this id."""
        return self._session.get(Agreement, id)

    def by_ids(self, ids: Collection[str]) -> Sequence[Agreement]:
        """The agreements with these ids."""
        return self._session.scalars(select(Agreement).where(in_list(self._session, Agreement.id, ids))).all()

    def by_number(self, number: int) -> Agreement | None:
        """The agreement with this number on the chain."""
        return self._session.scalar(select(Agreement).where(Agreement.number == number))

    def get_one(self, number: int) -> Agreement:
        """The agreement with this number on chain. Raises NoResultFound where there is none."""
        return self._session.scalars(select(Agreement).where(Agreement.number == number)).one()

    def accepted_after(self, number: int) -> Sequence[Agreement]:
        """Agreements with a higher number that both sides signed and that are not on chain yet, by number."""
        query = select(Agreement).where(Agreement.number > number, Agreement.state == AgreementState.ACCEPTED)
        return self._session.scalars(query.order_by(Agreement.number)).all()

    def by_digest(self, digest: bytes) -> Agreement | None:
        """The agreement with exactly these terms."""
        return self._session.scalar(select(Agreement).where(Agreement.digest == digest))

    def lock(self, id: str) -> Agreement | None:  # noqa: A002
        """The agreement with this id, locked until the transaction ends."""
        return self._session.get(Agreement, id, with_for_update=True, populate_existing=True)

    def lock_by_ids(self, ids: Collection[str]) -> Sequence[Agreement]:
        """The agreements with these ids, locked in their order until the transaction ends."""
        query = select(Agreement).where(in_list(self._session, Agreement.id, ids)).order_by(Agreement.id)
        return self._session.scalars(query.with_for_update().execution_options(populate_existing=True)).all()

    def lock_all(self, numbers: Collection[int], digests: Collection[bytes]) -> None:
        """Locks the agreements with these numbers, and those with exactly these terms, until the transaction ends."""
        mine = or_(Agreement.number.in_(numbers), Agreement.digest.in_(digests))
        self._session.execute(select(Agreement.id).where(mine).order_by(Agreement.id).with_for_update())

    def exchanges_after(self, at: int) -> Sequence[Agreement]:
        """Exchange agreements that both sides have signed and that end after Unix time `at`."""
        query = select(Agreement).where(
            Agreement.kind == AgreementKind.EXCHANGE,
            Agreement.state.in_((AgreementState.ACCEPTED, *REGISTERED)),
            Agreement.ends_at > at,
        )
        return self._session.scalars(query.order_by(Agreement.number)).all()

    def programs_seen_by(self, merchant_number: int) -> set[int]:
        """The programs on either side of a merchant's registered agreements."""
        query = select(Agreement.source_program, Agreement.target_program).where(
            Agreement.state.in_(REGISTERED), _is_party(merchant_number)
        )
        return {program for row in self._session.execute(query) for program in row if program}

    def routes(self, numbers: Collection[int] | None = None) -> dict[int, Route]:
        """The sides of registered agreements by number: of these agreements, or of all."""
        if numbers is not None and not numbers:
            return {}
        query = select(
            Agreement.number, Agreement.source_merchant, Agreement.target_merchant, Agreement.target_program
        ).where(Agreement.number.is_not(None) if numbers is None else Agreement.number.in_(numbers))
        return {number or 0: Route(*sides) for number, *sides in self._session.execute(query)}

    def programs_of_agreements(self, merchant_number: int | None = None) -> dict[int, tuple[int, int]]:
        """The source and target program of each agreement that has a number: of one merchant's, or of all."""
        query = select(Agreement.number, Agreement.source_program, Agreement.target_program)
        query = query.where(Agreement.number.is_not(None))
        if merchant_number is not None:
            query = query.where(_is_party(merchant_number))
        return {number or 0: (source, target) for number, source, target in self._session.execute(query)}

    def numbered(self, parties: Collection[int] = ()) -> Sequence[tuple[int, int, int, int, int, int]]:
        """Number, kind, source and target merchant, source and target program of each agreement that has a number and all these
        parties."""
        query = select(
            Agreement.number,
            Agreement.kind,
            Agreement.source_merchant,
            Agreement.target_merchant,
            Agreement.source_program,
            Agreement.target_program,
        ).where(Agreement.number.is_not(None), *(_is_party(number) for number in parties))
        return [(number or 0, *sides) for number, *sides in self._session.execute(query)]  # type: ignore[misc]

    def numbers_of(self, merchant_number: int) -> list[int]:
        """The numbers of a merchant's agreements."""
        query = select(Agreement.number).where(Agreement.number.is_not(None), _is_party(merchant_number))
        return [number for number in self._session.scalars(query) if number is not None]

    def list(self, wanted: AgreementFilter, *, after: str | None, limit: int) -> Sequence[Agreement]:
        """The agreements that the filter wants, newest first."""
        query = newest_first(select(Agreement), Agreement.id, after, limit)
        return self._session.scalars(query.where(*wanted.conditions())).all()

    def hold_numbers(self) -> None:
        """Until this transaction ends, nobody else can number an agreement or close a cycle with one."""
        lock_until_commit(self._session, "agreement numbers")

    def next_number(self) -> int:
        """The number that the chain will expect next. Call `hold_numbers` first."""
        return (self._session.scalar(select(func.max(Agreement.number))) or 0) + 1


class AgreementUseRepository:
    """What agreements have used of their daily caps, in one session."""

    RESERVED = 0
    """In place of a day: the points that orders on their way to the chain have reserved."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def burnt_or_reserved(self, agreement: int, day: int) -> int:
        """The source points that an agreement has burnt on a day, and those that orders on their way have reserved."""
        query = select(AgreementUse.points).where(
            AgreementUse.agreement == agreement, AgreementUse.day.in_((day, self.RESERVED))
        )
        return sum(self._session.scalars(query))

    def lock_reserved(self, agreements: Collection[int]) -> dict[int, AgreementUse]:
        """What orders on their way have reserved of each of these agreements, locked until the transaction ends."""
        query = (
            select(AgreementUse)
            .where(in_list(self._session, AgreementUse.agreement, agreements), AgreementUse.day == self.RESERVED)
            .order_by(AgreementUse.agreement)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        found = {use.agreement: use for use in self._session.scalars(query)}
        if missing := sorted(set(agreements) - found.keys()):
            empty = [{"agreement": agreement, "day": self.RESERVED, "points": 0} for agreement in missing]
            self._session.execute(insert_for(self._session)(AgreementUse).on_conflict_do_nothing(), empty)
            found = {use.agreement: use for use in self._session.scalars(query)}
        return found

    def burnt_by(self, agreements: Collection[int], day: int) -> dict[int, int]:
        """The source points that each of these agreements has burnt on a day, where it has burnt any."""
        query = select(AgreementUse.agreement, AgreementUse.points).where(
            in_list(self._session, AgreementUse.agreement, agreements), AgreementUse.day == day
        )
        return {agreement: points for agreement, points in self._session.execute(query)}  # noqa: C416 (rows)

    def burnt(self, agreement: int, day: int) -> int:
        """The source points that an agreement has burnt on a day."""
        query = select(AgreementUse.points).where(AgreementUse.agreement == agreement, AgreementUse.day == day)
        return self._session.scalar(query) or 0

    def add(self, agreement: int, day: int, points: int) -> None:
        """Adds to what an agreement has burnt on a day, or reserved. To avoid deadlocks, add to several in their order."""
        self.add_all({(agreement, day): points})

    def add_all(self, changes: Mapping[tuple[int, int], int]) -> None:
        """The same for several, by (agreement, day). Always in the same order: no deadlocks."""
        rows = [
            {"agreement": agreement, "day": day, "points": points}
            for (agreement, day), points in sorted(changes.items())
            if points
        ]
        add_all(self._session, AgreementUse, rows)


def _is_party(merchant_number: int) -> ColumnElement[bool]:
    return or_(Agreement.source_merchant == merchant_number, Agreement.target_merchant == merchant_number)
