"""Finds the issuances that returns take points back from: sales of the file, else what the member was issued before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from tongdui._client import Client
from tongdui._errors import NotFoundError
from tongdui._models import Movement

from ._content import content_of, return_metadata
from ._points import PointsRule
from ._result import Changed, Pending, TillResult, Unmatched
from ._returns import Line, Original, Return, Reversal, match_returns
from ._rows import Row
from ._submission import numbered
from ._takeback import Claim, Debt

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
        references |= {returned.reference for returned in returns if returned.unmatched}
        issued = {str(found.reference): found for found in self._client.movements.lookup("issue", list(references))}
        for returned in returns:
            before = taken.get(returned.reference, [])
            if before and all(reversal.metadata is None for reversal in before):
                # The member was erased, and with it what could be compared: what was taken back is all that there will be.
                yield Debt(returned, returned.reference, [], before)
                continue
            claims = self._claims(returned, before, issued)
            if claims is None or self._has_changed(returned, before, claims):
                continue
            if claims:
                yield Debt(returned, returned.reference, claims, before)

    def _claims(
        self, returned: Return, before: Sequence[Movement], issued: Mapping[str, Movement]
    ) -> list[Claim] | None:
        """What a return takes from which issuance; None if one of them has not settled."""
        claims: list[Claim] = []
        lost = list(returned.unmatched)
        for reversal in returned.reversals:
            original = issued.get(reversal.reference)
            if not reversal.points:
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
                claims.append(self._claim(returned, original, found))
        if lost:
            likely = [found for found in (issued.get(returned.reference),) if found and _may_be_of(found, returned)]
            likely += [self._client.issuances.get(id_) for id_ in dict.fromkeys(r.reverses for r in before) if id_]
            claims += self._search(returned, lost, likely, {claim.original.id for claim in claims})
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
        self, returned: Return, rows: Sequence[Row], likely: Iterable[Movement], known: set[str]
    ) -> Iterator[Claim]:
        """Find rows among the likely issuances, else among all that the member was issued, the newest first."""
        left = tuple(rows)
        for original in chain(likely, self._issued_to(returned.customer)):
            if not left:
                return
            if original.id in known or not original.is_settled:
                continue
            known.add(original.id)
            candidate = self._original(original, returned)
            if candidate is None or not {row.article for row in left} & {line.article for line in candidate.lines}:
                continue
            found = self._match(returned, left, candidate)
            left = found.unmatched
            for reversal in found.reversals:
                if reversal.points:
                    yield self._claim(returned, original, reversal)
        if left:
            nowhere = f"neither this file nor an earlier issuance to {returned.customer} has a sale that it fits"
            nobody = "it names no customer whose sale it could be"
            lines = tuple(row.line for row in left)
            self._unmatched(returned, lines, nowhere if returned.customer else nobody)

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
        content = content_of(original)
        if content is None or content.lines is None:
            return None
        lines, points = content.lines, original.points
        for reversal in self._reversals(original):
            amended = content_of(reversal)
            if amended is not None and amended.worth is not None and amended.lines is not None:
                lines, points = amended.lines, amended.worth
                break  # the newest
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

    def _reversals(self, original: Movement) -> list[Movement]:
        """The live reversals of an issuance, newest first."""
        if not original.reversed_points:
            return []
        if original.id not in self._seen:
            found = self._client.reversals.list(original=original.id)
            self._seen[original.id] = [one for one in found if one.is_settled or not one.is_final]
        return self._seen[original.id]

    def _taken(self, original: Movement, returned: Return) -> dict[str, tuple[Line, ...]]:
        """What other returns take of an issuance, by their references: those of other files, and earlier ones of this file.

        Later ones of this file do not count: a second run finds their reversals, and must come to the same points as the first.
        """
        taken: dict[str, tuple[Line, ...]] = {}
        for reversal in self._reversals(original):
            reference, content = str(reversal.reference).rpartition("~")[0], content_of(reversal)
            is_other = content is not None and content.is_return and reference not in self._in_file
            if is_other and content is not None and content.lines is not None:
                taken[reference] = content.lines  # instalments of one return all name the same lines
        taken.update(self._assigned[original.id])
        taken.pop(returned.reference, None)
        return taken

    # ---------------------------------------------------------------- both

    def _match(self, returned: Return, rows: Sequence[Row], original: Original) -> Return:
        """Match rows of a return with one original."""
        part = replace(returned, reversals=(), unmatched=tuple(rows))
        (found,) = match_returns([part], [original], self._rule)
        return found

    def _claim(self, returned: Return, original: Movement, reversal: Reversal) -> Claim:
        self._assigned[original.id][returned.reference] = reversal.taken
        return Claim(original, reversal.points, return_metadata(returned, reversal.taken))

    def _unmatched(self, returned: Return, lines: tuple[int, ...], reason: str) -> None:
        self._result.unmatched.append(Unmatched(returned, lines, reason))


def _rows(returned: Return, lines: Collection[int]) -> list[Row]:
    return [row for row in returned.rows if row.line in lines]


def _may_be_of(original: Movement, returned: Return) -> bool:
    return not returned.customer or original.external_id == returned.customer
