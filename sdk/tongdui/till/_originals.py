"""Finds the issuances that returns take points back from: sales of the file, else what the member was issued before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC
from itertools import chain

from tongdui._client import Client
from tongdui._errors import NotFoundError
from tongdui._models import Movement

from ._comparison import SAME_TIME
from ._content import Content, back_of, content_of, return_metadata
from ._points import PointsRule
from ._result import Changed, Pending, TillResult, Unmatched
from ._returns import Line, Original, Return, Reversal, match_returns
from ._rows import Row
from ._submission import numbered
from ._takeback import Claim, Debt, reversed_by_hand

_SEARCH_PAGE = 200


class Originals:
    """Makes debts of returns.

    Args:
        client: The merchant's client.
        program: The program's code.
        rule: What amounts are worth.
        in_file: The references of all returns of the file.
        other: References under which points were issued for another sale than the file's.
        result: Where to note returns that take nothing back.
    """

    def __init__(
        self,
        client: Client,
        program: str,
        rule: PointsRule,
        in_file: Collection[str],
        other: Collection[str],
        result: TillResult,
    ) -> None:
        self._client = client
        self._program = program
        self._rule = rule
        self._in_file = in_file
        self._other = other
        self._result = result
        self._assigned: dict[str, dict[str, tuple[Line, ...]]] = defaultdict(dict)
        """What the returns of this file take, by the original's id and the return's reference."""
        self._seen: dict[str, list[Movement]] = {}
        """Reversals by original, while some returns are looked at."""

    def debts(self, returns: Sequence[Return]) -> Iterator[Debt]:
        """Work out what some returns take back.

        Args:
            returns: Returns of the file, in order of time.

        Yields:
            The debts of those whose sales were found.
        """
        self._seen.clear()
        taken = numbered(self._client, [returned.reference for returned in returns])
        references = {reversal.reference for returned in returns for reversal in returned.reversals}
        # A return of the sale's own number has the sale's reference.
        references |= {returned.reference for returned in returns}
        issued = {str(found.reference): found for found in self._client.movements.lookup("issue", list(references))}
        for returned in returns:
            debt = self._debt(returned, taken.get(returned.reference, []), issued)
            if debt is not None:
                yield debt

    def _debt(self, returned: Return, before: list[Movement], issued: Mapping[str, Movement]) -> Debt | None:
        """What one return takes back; None if that is not to be done now, which is noted then."""
        returned = self._not_yet_counted(returned, issued.get(returned.reference))
        mine = [reversal for reversal in before if _is_of_return(reversal)]
        # If the member was erased, so was what could be compared: what was taken back is all that there will be.
        if not (returned.reversals or returned.unmatched) or (mine and all(one.metadata is None for one in mine)):
            return Debt(returned, returned.reference, [], before)
        if self._is_other_return(returned, mine):
            return None
        claims = self._claims(returned, mine, issued)
        if claims is None or self._has_changed(returned, mine, claims):
            return None
        for claim in claims:
            # A sale of the same number that was brought down has used up some numbers of the reference.
            amended = [one for one in before if one not in mine and one.reverses == claim.original.id]
            claim.points += sum(one.points for one in amended)
            claim.look(before)
            by_hand = reversed_by_hand(self._reversals(claim.original), before) if claim.left else 0
            if by_hand and content_of(claim.original) is not None:
                reason = f"{by_hand} points of {claim.original.id} were reversed by hand, perhaps for this return: "
                reason += f"reverse what is still missing under the reference {returned.reference}~{len(before) + 1}"
                self._unmatched(returned, returned.lines, reason)
                return None
        return Debt(returned, returned.reference, claims, before) if claims else None

    def _not_yet_counted(self, returned: Return, same: Movement | None) -> Return:
        """The return as one of the sale of its own number, if points were issued for that one: no other sale is likelier.

        Rows that were in the sale already, when it was issued or brought down, have been taken back with that.
        """
        if same is None or same.reference in {reversal.reference for reversal in returned.reversals}:
            return returned
        if not _may_be_of(same, returned) or any(row.original not in ("", returned.number) for row in returned.rows):
            return returned
        found = self._amended(same) or content_of(same)
        counted = found.back if found is not None else frozenset()
        left = tuple(row for row in returned.rows if back_of(row) not in counted)
        time = min((row.time for row in left), default=returned.time)
        return replace(returned, time=time, reversals=(), unmatched=left)

    def _is_other_return(self, returned: Return, mine: Sequence[Movement]) -> bool:
        """Whether the reversals under the return's reference are those of another return, at another time. Notes that."""
        for reversal in mine:
            content = content_of(reversal)
            if content is not None and abs(content.time - returned.time) >= SAME_TIME:
                was, is_now = (f"{time.astimezone(UTC):%Y-%m-%d %H:%M}" for time in (content.time, returned.time))
                difference = f"it was at {was} UTC and is at {is_now} UTC now: was the number used for two returns?"
                self._result.changed.append(Changed(returned, reversal, difference))
                return True
        return False

    def _claims(
        self, returned: Return, before: Sequence[Movement], issued: Mapping[str, Movement]
    ) -> list[Claim] | None:
        """What a return takes from which issuance; None if one of them has not settled."""
        claims: list[Claim] = []
        lost = list(returned.unmatched)
        for reversal in returned.reversals:
            original = issued.get(reversal.reference)
            if not reversal.points:
                if original is not None:
                    self._assigned[original.id][returned.reference] = reversal.taken
                continue
            if original is None or reversal.reference in self._other:
                reason = "was not issued" if original is None else "is not the one that points were issued for"
                self._unmatched(returned, reversal.lines, f"sale {reversal.sale} {reason}")
            elif not original.is_settled:
                self._result.pending.append(Pending(returned, original))
                return None
            elif (found := self._in_file_match(returned, reversal, original, before)) is None:
                lost += _rows(returned, reversal.lines)
            else:
                claims.append(self._claim(returned, original, found, before))
        if lost:
            likely = [found for found in (issued.get(returned.reference),) if found and _may_be_of(found, returned)]
            likely += [self._client.issuances.get(id_) for id_ in dict.fromkeys(r.reverses for r in before) if id_]
            claims += self._search(returned, lost, likely, claims, before)
        return claims

    def _has_changed(self, returned: Return, before: Sequence[Movement], claims: Sequence[Claim]) -> bool:
        """Whether earlier runs took back what the return does not take back any more. Nothing can be done about it here."""
        due = {claim.original.id: claim.points for claim in claims}
        for original in dict.fromkeys(reversal.reverses for reversal in before):
            mine = [reversal for reversal in before if reversal.reverses == original]
            points, now = sum(reversal.points for reversal in mine), due.get(str(original), 0)
            # Two returns that came in the other order have their rounding the other way round.
            if points > now + (now > 0):
                difference = f"it took back {points} points of {original}, it should be {now} now"
                self._result.changed.append(Changed(returned, mine[-1], difference))
                return True
        return False

    def _in_file_match(
        self, returned: Return, reversal: Reversal, original: Movement, before: Sequence[Movement]
    ) -> Reversal | None:
        """What a return takes from a sale of the file; None if returns of other files have left too little of it."""
        if original.reversed_points == sum(found.points for found in before if found.reverses == original.id):
            return reversal  # nobody else has taken anything
        if not set(self._taken(original, returned)) - self._assigned[original.id].keys():
            return reversal
        known = self._original(original, returned)
        if known is None:
            return reversal
        found = self._match(returned, _rows(returned, reversal.lines), known)
        return found.reversals[0] if found.reversals and not found.unmatched else None

    # ---------------------------------------------------------------- at the gateway

    def _search(
        self,
        returned: Return,
        rows: Sequence[Row],
        likely: Iterable[Movement],
        claims: Sequence[Claim],
        before: Sequence[Movement],
    ) -> list[Claim]:
        """Find rows among the likely issuances, else among all that the member was issued, the newest first."""
        left, found_claims = tuple(rows), []
        known = {claim.original.id for claim in claims}
        for original in chain(likely, self._issued_to(returned.customer)):
            if not left:
                break
            if original.id in known or not original.is_settled:
                continue
            known.add(original.id)
            candidate = self._original(original, returned)
            if candidate is None or not {row.article for row in left} & {line.article for line in candidate.lines}:
                continue
            found = self._match(returned, left, candidate)
            left = found.unmatched
            for reversal in found.reversals:
                claim = self._claim(returned, original, reversal, before)
                if claim.points:
                    found_claims.append(claim)
        if left:
            nowhere = f"neither this file nor an earlier issuance to {returned.customer} has a sale that it fits"
            nobody = "it names no customer whose sale it could be"
            lines = tuple(row.line for row in left)
            self._unmatched(returned, lines, nowhere if returned.customer else nobody)
        return found_claims

    def _issued_to(self, customer: str) -> Iterator[Movement]:
        if not customer:
            return
        try:
            yield from self._client.issuances.list(
                member=f"external:{customer}", program=self._program, page_size=_SEARCH_PAGE
            )
        except NotFoundError:
            return  # the customer is no member

    def _original(self, original: Movement, returned: Return) -> Original | None:
        """An issuance as the sale that it was for; None if nobody kept what that was."""
        content, amended = content_of(original), self._amended(original)
        lines = amended.lines if amended is not None else content.lines if content is not None else None
        if content is None or lines is None or self._is_vague(original):
            return None
        points = original.points if amended is None or amended.worth is None else amended.worth
        return Original(
            reference=str(original.reference),
            number=content.number,
            till=content.till,
            day=content.day,
            customer=returned.customer,
            time=content.time,
            lines=lines,
            points=points,
            taken=tuple(line for some in self._taken(original, returned).values() for line in some),
        )

    def _amended(self, original: Movement) -> Content | None:
        """What the newest amendment says that is left of a sale; None if it was never brought down."""
        contents = map(content_of, self._reversals(original))
        return next((found for found in contents if found is not None and found.worth is not None), None)

    def _is_vague(self, original: Movement) -> bool:
        """Whether a return took back more lines than could be kept, so that nobody knows what is left."""
        contents = map(content_of, self._reversals(original))
        return any(found is not None and found.is_return and found.lines is None for found in contents)

    def _reversals(self, original: Movement) -> list[Movement]:
        """The live reversals of an issuance, newest first."""
        if not original.reversed_points:
            return []
        if original.id not in self._seen:
            found = self._client.reversals.list(original=original.id)
            self._seen[original.id] = [one for one in found if one.is_settled or not one.is_final]
        return self._seen[original.id]

    def _taken(self, original: Movement, returned: Return) -> dict[str, tuple[Line, ...]]:
        """What other returns take of an issuance, by their references: those that have begun, and earlier ones of this file."""
        taken: dict[str, tuple[Line, ...]] = {}
        is_amended = False
        for reversal in self._reversals(original):
            reference, content = str(reversal.reference).rpartition("~")[0], content_of(reversal)
            if content is None or content.lines is None:
                continue
            # An amendment has in it what had come back under the sale's own number before.
            if content.is_return and not (is_amended and reference == original.reference):
                taken[reference] = content.lines  # instalments of one return all name the same lines
            is_amended = is_amended or content.worth is not None
        taken.update(self._assigned[original.id])
        taken.pop(returned.reference, None)
        return taken

    # ---------------------------------------------------------------- both

    def _match(self, returned: Return, rows: Sequence[Row], original: Original) -> Return:
        """Match rows of a return with one original."""
        part = replace(returned, reversals=(), unmatched=tuple(rows))
        (found,) = match_returns([part], [original], self._rule)
        return found

    def _claim(self, returned: Return, original: Movement, reversal: Reversal, before: Sequence[Movement]) -> Claim:
        self._assigned[original.id][returned.reference] = reversal.taken
        points = reversal.points
        for one in before:
            content = content_of(one) if one.reverses == original.id else None
            if content is not None and content.points is not None and content.lines == reversal.taken:
                points = content.points  # as it was worked out first, whatever has come back since
        return Claim(original, points, return_metadata(returned, reversal.taken, points))

    def _unmatched(self, returned: Return, lines: tuple[int, ...], reason: str) -> None:
        self._result.unmatched.append(Unmatched(returned, lines, reason))


def _rows(returned: Return, lines: Collection[int]) -> list[Row]:
    return [row for row in returned.rows if row.line in lines]


def _may_be_of(original: Movement, returned: Return) -> bool:
    """Whether an issuance may be the sale of a return's customer, who may have had another card then, or has another one now."""
    content = content_of(original)
    cards = {original.external_id, content.customer if content is not None else None}
    return not returned.customer or returned.customer in cards


def _is_of_return(reversal: Movement) -> bool:
    """Whether a reversal is a return's, as far as anybody can tell, and not an amendment of a sale with the same reference."""
    content = content_of(reversal)
    return content is None or content.is_return
