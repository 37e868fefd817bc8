"""What a merchant's till can do: redeem its own points, and whatever its agreements let it start."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from console.by_hand import own_programs
from console.listing import complete
from console.merchants import all_programs, merchant_names
from console.naming import reference_of
from console.visit import Visit
from pages.clock import now
from pages.translations import gettext as _
from tongdui import Agreement, Exchange, Program, Redeem, Spend


@dataclass(frozen=True, slots=True)
class Offer:
    """One key of the till. `by_code`: another merchant issues the points, so the member shows a one-time code."""

    id: str
    kind: str
    program: str
    name: str
    """What people call these points."""
    target: str | None = None
    partner: str | None = None
    by_code: bool = False
    agreement: str | None = None
    most: int | None = None
    """The most points of one movement."""

    @property
    def label(self) -> str:
        """What stands on the key."""
        if self.kind == "redeem":
            return _("Redeem %(program)s") % {"program": self.program}
        if self.kind == "spend":
            return _("Accept %(program)s") % {"program": self.program}
        return _("%(source)s into %(target)s") % {"source": self.program, "target": self.target}

    @property
    def note(self) -> str:
        """What the key means."""
        if self.kind == "redeem":
            return _("%(name)s, with the card") % {"name": self.name}
        values = {"name": self.name, "partner": self.partner}
        if self.kind == "spend":
            return _("%(name)s; %(partner)s pays. With the member's code") % values
        if self.by_code:
            return _("%(name)s of %(partner)s, with the member's code") % values
        return _("%(name)s, with the card; for %(partner)s") % values

    def instruction(
        self, who: str, points: int, reference: str | None, metadata: dict[str, str]
    ) -> Redeem | Spend | Exchange:
        """What the till asks the gateway for. `who` is the card, or the member's code."""
        common = {"points": points, "reference": reference, "metadata": metadata}
        if self.kind == "redeem":
            return Redeem(program=self.program, member=reference_of(who), **common)  # type: ignore[arg-type]
        whose = {"member_code": who} if self.by_code else {"member": reference_of(who)}
        request = Spend if self.kind == "spend" else Exchange
        return request(agreement=self.agreement, **whose, **common)  # type: ignore[arg-type]


async def offers_of(visit: Visit) -> list[Offer]:
    """The keys of the person's till."""
    own, programs, names, agreements = await asyncio.gather(
        own_programs(visit),
        all_programs(visit),
        merchant_names(visit),
        complete(visit.client.agreements.list(state="active", page_size=200)),
    )
    names |= {program.code: program.name for program in programs}
    at = now()
    usable = [agreement for agreement in agreements if agreement.is_usable_at(at)]
    offers = (_offer(agreement, visit.merchant, names) for agreement in usable)
    return [
        *_redemptions(own),
        *sorted(filter(None, offers), key=lambda offer: (offer.kind != "spend", offer.program)),
    ]


def _redemptions(programs: Sequence[Program]) -> list[Offer]:
    return [Offer(f"redeem:{one.code}", "redeem", one.code, one.name) for one in programs]


def _offer(agreement: Agreement, merchant: str, names: Mapping[str, str]) -> Offer | None:
    """The key for an agreement; None if this till cannot start it. `names` are those of merchants, and of programs by code."""
    takes = agreement.target_merchant == merchant and "target" in agreement.initiators
    gives = agreement.source_merchant == merchant and "source" in agreement.initiators
    is_exchange = agreement.kind == "exchange"
    if not takes and not (gives and is_exchange):
        return None
    return Offer(
        id=f"{'exchange' if is_exchange else 'spend'}:{agreement.id}",
        kind="exchange" if is_exchange else "spend",
        program=agreement.source_program,
        name=names.get(agreement.source_program, agreement.source_program),
        target=agreement.target_program,
        partner=names.get(agreement.source_merchant if takes else agreement.target_merchant),
        by_code=takes,
        agreement=agreement.id,
        most=agreement.max_points,
    )
