"""Rules of wishes: how one is made, and what a person decides about one that was refused."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from sqlalchemy.orm import Session

from loyalty.audit_log.service import AuditLog
from loyalty.kit.database import clock_of, lock_all
from loyalty.kit.errors import Contradiction, Malformed, Unknown
from loyalty.kit.ids import new_id, new_ids
from loyalty.network.debts import DebtService, PaidFor, set_off
from loyalty.network.kinds import ISSUE, REVERSE
from loyalty.network.members import EXTERNAL, as_member
from loyalty.network.models import REFERENCE, Wish, WishState
from loyalty.network.wish_repository import WishRepository

_PREFIX: Final = "wsh"
"""Of ids."""
MOST_POINTS: Final = 2**53 - 1
_MOST_FACTS: Final = 7_000
"""Bytes of facts: the network takes 8,192 beside a movement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueWish:
    """Points that a member shall get. `member` is `external:` and the merchant's number for the customer, or `mem_...`."""

    reference: str
    program: str
    member: str
    points: int
    expires_on: date | None = None
    """The first day without the points. By default the program's lifetime decides."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Why: kept beside the movement, visible to the merchant only. Exact numbers are texts or whole numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReverseWish:
    """Points of an earlier wish that shall be taken back. `original` is that one's reference."""

    reference: str
    original: str
    points: int
    facts: Mapping[str, Any] = field(default_factory=dict)


class OpenWish(NamedTuple):
    """A wish that is not at its end. Points that are taken back are below zero."""

    id: str
    program: str
    points: int
    state: WishState


class WishService:
    """Wishes in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._wishes = WishRepository(session)
        self._debts = DebtService(session)
        self._log = AuditLog(session)

    def wish(self, wanted: IssueWish | ReverseWish) -> Wish:
        """Writes a wish. It is sent once this transaction is committed, and exactly once. The same wish again is the first one.

        Raises:
            Malformed: It cannot be meant.
            Contradiction: The reference was used for something else, or the original cannot give back so much.
        """
        return self.wish_all([wanted])[0]

    def wish_all(self, wanted: Sequence[IssueWish | ReverseWish]) -> list[Wish]:
        """The same with several wishes, by as many statements. None of them undoes another one of them. Raises what `wish` does."""
        for one in wanted:
            _check(one)
        lock_all(self._session, (f"wish:{one.reference}" for one in wanted))
        known = self._wishes.with_references(one.reference for one in wanted)
        wishes, new = [], []
        for one in wanted:
            wish = self._issue(one) if isinstance(one, IssueWish) else self._reverse(one)
            if (other := known.get(one.reference)) is None:
                if wish.original_id is not None:
                    self._part(wish)
                new.append(wish)
            elif _content(other) != _content(wish):
                raise Contradiction("duplicate_reference", f"{one.reference} is the reference of another wish")
            wishes.append(other or wish)
        self._wishes.add(*new)
        return wishes

    def wish_first(self, wanted: Sequence[IssueWish], set_off: Sequence[int]) -> Sequence[str]:
        """Writes wishes under references that nobody has used, or can use before this transaction ends; their ids. `set_off` says
        how many points of each pay what its member owes. Raises Malformed."""
        now = clock_of(self._session).now()
        for one in wanted:
            _check(one)
        keys = new_ids(_PREFIX, len(wanted))
        rows = [_row(key, one, paid, now) for key, one, paid in zip(keys, wanted, set_off, strict=True)]
        self._wishes.insert(rows)
        return keys

    def _issue(self, wanted: IssueWish) -> Wish:
        return _new(
            ISSUE.name,
            wanted.reference,
            wanted.program,
            wanted.member,
            wanted.points,
            wanted.facts,
            expires_on=wanted.expires_on,
        )

    def _reverse(self, wanted: ReverseWish) -> Wish:
        found = self._wishes.with_reference(wanted.original)
        while found is not None and found.state is WishState.RETRIED:
            found = self._wishes.retry_of(found)
        if found is None:
            raise Unknown("unknown_wish", f"there is no wish with the reference {wanted.original}")
        if found.original_id is not None:
            raise Malformed("not_reversible", f"{wanted.original} takes points back itself", pointer="/original")
        return _new(
            REVERSE.name,
            wanted.reference,
            found.program,
            found.member,
            wanted.points,
            wanted.facts,
            original_id=found.id,
        )

    def _part(self, reversal: Wish) -> None:
        """What comes back is taken from the points that have moved; only what is more than these is owed again. So it is as if less
        had been given from the start."""
        original, left = self._refuse_too_much(reversal)
        owed_again = max(0, reversal.moving - (left - (original.set_off - self._debts.undone(original))))
        if owed_again:
            self._debts.undo(original, owed_again)
            set_off(reversal, owed_again)

    def _refuse_too_much(self, reversal: Wish) -> tuple[Wish, int]:
        """All that undo a wish undo no more than it has. The original, held, and how much of it is left."""
        assert reversal.original_id is not None
        original = self._wishes.get(reversal.original_id, for_update=True)
        assert original is not None
        if original.state is WishState.WRITTEN_OFF:
            raise Contradiction(
                "original_written_off", f"{original.reference} was given up: there is nothing to take back"
            )
        left = original.points - self._wishes.undone_points(original)
        if reversal.moving > left:
            raise Contradiction(
                "over_reversal", f"{original.reference} has {left} points left to take back, not {reversal.moving}"
            )
        return original, left

    # ---------------------------------------------------------------- a person decides

    def retry(self, wish_id: str, *, actor: str, reason: str) -> Wish:
        """Has a new wish take the place of a refused one, under a reference of its own. What undoes it follows."""
        refused = self._refused(wish_id)
        retry = _new(
            refused.kind,
            self._next_reference(refused),
            refused.program,
            refused.member,
            refused.points,
            refused.facts,
            expires_on=refused.expires_on,
            original_id=refused.original_id,
            retry_of=refused.id,
            set_off=refused.set_off,
        )
        if retry.original_id is not None:
            self._part(retry)
        self._wishes.add(retry)
        self._wishes.follow(refused, retry)
        self._debts.follow(refused, retry)
        refused.state = WishState.RETRIED
        self._note(refused, "wish.retried", actor, reason, {"retried_as": retry.id})
        return retry

    def write_off(self, wish_id: str, *, actor: str, reason: str) -> Wish:
        """Gives a refused wish up. What waits to undo it is refused, as there is nothing to undo; what it paid is owed again."""
        wish = self._refused(wish_id)
        wish.state = WishState.WRITTEN_OFF
        if wish.original_id is None and wish.set_off:
            self._debts.undo(wish, wish.set_off - self._debts.undone(wish))
        for reversal in self._wishes.waiting_on(wish):
            refuse(reversal, "original_written_off", f"{wish.reference} was given up: there is nothing to take back")
        self._note(wish, "wish.written_off", actor, reason, {})
        return wish

    def _refused(self, wish_id: str) -> Wish:
        wish = self._wishes.get(wish_id, for_update=True)
        if wish is None:
            raise Unknown("unknown_wish", f"there is no wish {wish_id}")
        if wish.state is not WishState.REFUSED:
            raise Contradiction("not_refused", f"{wish_id} is {wish.state}: only what was refused needs a decision")
        return wish

    def _next_reference(self, wish: Wish) -> str:
        """The reference with the next number behind `~`."""
        stem, _, number = wish.reference.rpartition("~")
        count = int(number) + 1 if stem and wish.retry_of is not None and number.isdecimal() else 2
        reference = f"{stem if count > 2 else wish.reference}~{count}"
        if len(reference) > REFERENCE:
            raise Contradiction(
                "reference_too_long", f"{reference} has more than {REFERENCE} characters: write it off instead"
            )
        if self._wishes.with_reference(reference) is not None:
            raise Contradiction("duplicate_reference", f"{reference} is the reference of another wish")
        return reference

    def _note(self, wish: Wish, action: str, actor: str, reason: str, more: Mapping[str, str]) -> None:
        before = {"state": WishState.REFUSED.value, "refusal": wish.refusal}
        self._log.note(actor, action, wish.id, reason=reason, before=before, after={"state": wish.state.value, **more})

    # ---------------------------------------------------------------- looking

    def get(self, wish_id: str) -> Wish:
        """The wish with this id. Raises Unknown."""
        found = self._wishes.get(wish_id)
        if found is None:
            raise Unknown("unknown_wish", f"there is no wish {wish_id}")
        return found

    def latest(self, references: Iterable[str]) -> dict[str, Wish]:
        """What became of the wishes with these references: each, or the last one that took its place."""
        found = self._wishes.with_references(references)
        for reference, wish in found.items():
            last = wish
            while last.state is WishState.RETRIED and (following := self._wishes.retry_of(last)) is not None:
                last = following
            found[reference] = last
        return found

    def set_off_by(self, references: Iterable[str]) -> Mapping[str, Sequence[PaidFor]]:
        """What the wishes with these references set off against what their members owe; which sets off nothing is left out."""
        wishes = {reference: wish.id for reference, wish in self.latest(references).items() if wish.set_off}
        found = self._debts.set_off_by(wishes.values()) if wishes else {}
        return {reference: found[wish] for reference, wish in wishes.items() if wish in found}

    def open_of(self, customers: Iterable[str]) -> Mapping[str, Sequence[OpenWish]]:
        """What is on its way for these customers, or waits for a decision; who has nothing is left out."""
        found: dict[str, list[OpenWish]] = {}
        for wish in self._wishes.open_of([as_member(customer) for customer in customers]):
            points = wish.moving if wish.original_id is None else -wish.moving
            open_wish = OpenWish(wish.id, wish.program, points, wish.state)
            found.setdefault(wish.member.removeprefix(EXTERNAL), []).append(open_wish)
        return found

    def refused_count(self) -> int:
        """How many wishes need a decision."""
        return self._wishes.counts()[WishState.REFUSED]

    def page(
        self,
        *,
        state: WishState | None,
        reference: str | None,
        member: str | None,
        cursor: str | None,
        limit: int,
    ) -> tuple[Sequence[Wish], str | None]:
        """Wishes, newest first."""
        return self._wishes.page(state, reference, member, cursor, limit)


def refuse(wish: Wish, code: str, detail: str) -> None:
    """Notes that the network does not carry a wish out."""
    wish.state, wish.refusal, wish.refusal_detail = WishState.REFUSED, code, detail[:500]


def _new(
    kind: str, reference: str, program: str, member: str, points: int, facts: Mapping[str, Any], **more: Any
) -> Wish:
    return Wish(
        id=new_id(_PREFIX),
        kind=kind,
        reference=reference,
        program=program,
        member=member,
        points=points,
        facts=dict(facts),
        state=WishState.WAITING,
        **{"set_off": 0} | more,
    )


def _row(key: str, wanted: IssueWish, paid: int, now: datetime) -> dict[str, Any]:
    """A new wish as a row. `paid` points of it pay what the member owes."""
    state = WishState.SET_OFF if paid == wanted.points else WishState.WAITING
    return {
        "id": key,
        "kind": ISSUE.name,
        "reference": wanted.reference,
        "program": wanted.program,
        "member": wanted.member,
        "points": wanted.points,
        "set_off": paid,
        "expires_on": wanted.expires_on,
        "facts": dict(wanted.facts),
        "state": state.value,
        "created_at": now,
    }


def _content(wish: Wish) -> tuple[object, ...]:
    """What a wish asks for."""
    return wish.kind, wish.program, wish.member, wish.points, wish.expires_on, wish.original_id, wish.facts


def _check(wanted: IssueWish | ReverseWish) -> None:
    """Refuses what the network would not understand: it is noticed where it was written."""
    if not 1 <= len(wanted.reference) <= REFERENCE or not wanted.reference.isprintable():
        raise Malformed("bad_reference", f"a reference has 1 to {REFERENCE} visible characters", pointer="/reference")
    if type(wanted.points) is not int or not 1 <= wanted.points <= MOST_POINTS:
        raise Malformed("bad_points", f"points are whole, from 1 to {MOST_POINTS}", pointer="/points")
    if isinstance(wanted, IssueWish) and not wanted.member.startswith(("external:", "mem_")):
        raise Malformed("bad_member", "a member is `external:` and your number, or `mem_...`", pointer="/member")
    if _has_float(wanted.facts) or len(json.dumps(wanted.facts).encode()) > _MOST_FACTS:
        detail = f"facts are texts, whole numbers, lists and objects, of {_MOST_FACTS} bytes at most"
        raise Malformed("bad_facts", detail, pointer="/facts")


def _has_float(value: object) -> bool:
    if type(value) in (str, int):  # nearly all are
        return False
    if isinstance(value, Mapping):
        return any(map(_has_float, value.values()))
    return isinstance(value, float) or (isinstance(value, list | tuple) and any(map(_has_float, value)))
