"""What the pages of agreements show, made of what the gateway says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from console.events import events_of
from console.rights import AGREE, may
from console.visit import Visit
from pages.charts import Edge, Graph, Node
from pages.formats import basis_points, count, listed, moment, money
from pages.translations import gettext as _
from pages.translations import lazy
from tongdui import Agreement, AgreementPreview, AgreementUse, Conversion, Event, Merchant, RateCycle, RateEdge, Rates
from tongdui.rates import fee_up, source_points_up, target_points_down

ENDS_SOON = timedelta(days=14)
"""As the gateway counts what needs a look."""
STATES = {
    "proposed": lazy("Proposed"),
    "accepted": lazy("On its way to the chain"),
    "active": lazy("In force"),
    "superseded": lazy("Superseded"),
    "terminated": lazy("Terminated"),
    "withdrawn": lazy("Withdrawn"),
    "declined": lazy("Declined"),
    "lapsed": lazy("Lapsed"),
    "failed": lazy("Refused by the chain"),
}
TONES = {
    "proposed": "info",
    "accepted": "info",
    "active": "good",
    "failed": "bad",
    "terminated": "warn",
    "superseded": "",
}
HAPPENED = {
    "agreement.proposed": lazy("Proposed"),
    "agreement.signed": lazy("Signed"),
    "agreement.accepted": lazy("Both sides have signed"),
    "agreement.active": lazy("In force: the chain has it"),
    "agreement.failed": lazy("The chain has refused it"),
    "agreement.declined": lazy("Declined"),
    "agreement.withdrawn": lazy("Withdrawn"),
    "agreement.superseded": lazy("A new version has taken its place"),
    "agreement.termination_requested": lazy("An earlier end was signed"),
    "agreement.terminated": lazy("The chain has moved its end closer"),
    "agreement.termination_failed": lazy("The chain has refused the earlier end"),
    "agreement.lapsed": lazy("Not signed in time"),
    "agreement.expired": lazy("Its time is over"),
}
KINDS = {"exchange": lazy("Exchange"), "acceptance": lazy("Points for goods")}
SIDES = ("source_merchant", "target_merchant")
"""Expanded wherever an agreement is shown: the merchants have names."""


def now() -> datetime:
    """The present moment. Only what is shown depends on it; the gateway decides by its own clock."""
    return datetime.now(UTC)  # noqa: TID251


@dataclass(frozen=True, slots=True)
class Shown:
    """An agreement as one person sees it."""

    agreement: Agreement
    own: str | None
    """The merchant for which the person acts."""
    may_act: bool
    names: Mapping[str, str]

    @property
    def source_name(self) -> str:
        """The name of whoever issues the points."""
        return self.names[self.agreement.source_merchant]

    @property
    def target_name(self) -> str:
        """The name of whoever takes them."""
        return self.names[self.agreement.target_merchant]

    @property
    def other_name(self) -> str:
        """The name of the other side; of both for somebody of the network."""
        if self.own is None:
            return f"{self.source_name} → {self.target_name}"
        return self.target_name if self.own == self.agreement.source_merchant else self.source_name

    @property
    def title(self) -> str:
        """What becomes what."""
        return f"{self.agreement.source_program} → {self.agreement.target_program or _('goods')}"

    @property
    def side(self) -> str | None:
        """The person's own side."""
        if self.own == self.agreement.source_merchant:
            return "source"
        return "target" if self.own == self.agreement.target_merchant else None

    @property
    def ends(self) -> datetime:
        """When it ends, as far as is known now."""
        end = self.agreement.ends_at or self.agreement.valid_until
        return min(end, self.agreement.terminates_at or end)

    @property
    def is_live(self) -> bool:
        """Whether movements may use it now."""
        return self.agreement.is_usable_at(now())

    @property
    def has_ended(self) -> bool:
        """Whether its time is over although it says that it is in force."""
        return self.agreement.state in {"active", "superseded", "terminated"} and self.ends <= now()

    @property
    def ends_soon(self) -> bool:
        """Whether somebody should think of a new version."""
        return self.is_live and self.agreement.superseded_by is None and self.ends - now() <= ENDS_SOON

    @property
    def state(self) -> str:
        """Its state in words."""
        return _("Ended") if self.has_ended else str(STATES.get(self.agreement.state, self.agreement.state))

    @property
    def tone(self) -> str:
        """The colour of its state."""
        return "" if self.has_ended else TONES.get(self.agreement.state, "")

    @property
    def waits_for_own_signature(self) -> bool:
        """Whether the person's side has yet to sign."""
        open_side = self.side is not None and self.side not in self.agreement.signed_by
        return self.agreement.state == "proposed" and open_side

    @property
    def can_sign(self) -> bool:
        """Whether the person may sign it."""
        return self.may_act and self.waits_for_own_signature

    @property
    def can_withdraw(self) -> bool:
        """Whether the person may withdraw or decline it."""
        return self.may_act and self.agreement.state == "proposed" and self.side is not None

    @property
    def is_own_proposal(self) -> bool:
        """Whether the person's side has proposed it."""
        return self.side is not None and self.side == self.agreement.proposed_by

    @property
    def can_change(self) -> bool:
        """Whether the person may supersede or terminate it."""
        on_chain = self.agreement.state in {"active", "superseded", "terminated"} and self.ends > now()
        return self.may_act and self.side is not None and on_chain

    @property
    def rate(self) -> str:
        """The exact fraction."""
        return f"{self.agreement.rate_num}/{self.agreement.rate_den}"

    @property
    def initiators(self) -> str:
        """Who may start a movement, by name."""
        names = {"source": self.source_name, "target": self.target_name}
        return listed(names[side] for side in self.agreement.initiators)


def shown(visit: Visit, agreement: Agreement, names: Mapping[str, str]) -> Shown:
    """An agreement as the visitor sees it."""
    return Shown(agreement, visit.seat.merchant, may(visit, AGREE), names)


def names_in(agreements: Sequence[Agreement]) -> dict[str, str]:
    """The names of the merchants of these agreements, which were fetched with them."""
    names: dict[str, str] = {}
    for one in agreements:
        names |= {one.source_merchant: one.source_merchant, one.target_merchant: one.target_merchant}
    for one in agreements:
        for found in (one.expanded.source_merchant, one.expanded.target_merchant) if one.expanded else ():
            if found is not None:
                names[found.id] = found.name
    return names


@dataclass(frozen=True, slots=True)
class Detail:
    """The page of one agreement."""

    shown: Shown
    events: Sequence[Event]
    use: AgreementUse | None
    merchant: Merchant | None
    """The visitor's own, with its key."""

    @property
    def keeps_own_key(self) -> bool:
        """Whether the merchant signs with a key that the gateway does not have."""
        return self.merchant is not None and (self.merchant.signer is None or not self.merchant.signer.managed)


async def detail(visit: Visit, name: str) -> Detail:
    """One agreement with its history and today's use."""
    client = visit.client
    agreement = await client.agreements.get(name, expand=SIDES)
    found = shown(visit, agreement, names_in([agreement]))
    own = client.merchants.get(found.own) if found.own else None
    events, use, merchant = await asyncio.gather(
        events_of(visit, name),
        client.agreements.use(name) if agreement.number else _nothing(),
        own or _nothing(),
        return_exceptions=False,
    )
    return Detail(found, events, use, merchant)


async def _nothing() -> None:
    return None


# -------------------------------------------------------------------- what terms do, in words


def conversion_of(agreement: Agreement, points: int) -> Conversion:
    """What a movement of so many points does under an agreement. Integers, rounded as the contract rounds."""
    if agreement.kind == "exchange":
        out = target_points_down(points, agreement.rate_num, agreement.rate_den)
        burnt = source_points_up(out, agreement.rate_num, agreement.rate_den)
        settled = out * agreement.unit_price_micros
    else:
        out, burnt, settled = 0, points, points * agreement.unit_price_micros
    fee = fee_up(settled, agreement.fee_bps)
    return Conversion(points=points, points_burnt=burnt, out=out, settled_micros=settled, fee_micros=fee)


def sentences(
    conversion: Conversion, *, source: str, target: str | None, payer: str | None, payee: str | None
) -> list[str]:
    """What happens, from the view of somebody: `payer` and `payee` are names, None for oneself."""
    given, got = f"{count(conversion.points_burnt)} {source}", f"{count(conversion.out)} {target}" if target else None
    said = [
        _("%(given)s become %(got)s.") % {"given": given, "got": got}
        if got
        else _("%(given)s buy goods.") % {"given": given}
    ]
    left = conversion.points - conversion.points_burnt
    if left:
        said.append(_("%(left)s stay with the member: they buy no whole point.") % {"left": f"{count(left)} {source}"})
    amount, fee = money(conversion.settled_micros).striptags(), money(conversion.fee_micros).striptags()
    parts = {"amount": amount, "fee": fee, "payer": payer, "payee": payee}
    if payer is None:
        said.append(_("You pay %(amount)s to %(payee)s, and the operator a fee of %(fee)s.") % parts)
    elif payee is None:
        said.append(_("You receive %(amount)s from %(payer)s, who pays the operator a fee of %(fee)s.") % parts)
    else:
        said.append(_("%(payer)s pays %(amount)s to %(payee)s, and the operator a fee of %(fee)s.") % parts)
    return said


def sentences_of(found: Shown, points: int) -> list[str]:
    """What a movement of so many points does under an agreement."""
    return sentences(
        conversion_of(found.agreement, points),
        source=found.agreement.source_program,
        target=found.agreement.target_program,
        payer=None if found.side == "source" else found.source_name,
        payee=None if found.side == "target" else found.target_name,
    )


def sentences_of_preview(preview: AgreementPreview, own: str, names: Mapping[str, str]) -> list[str]:
    """What a movement would do under proposed terms."""
    payer, payee = preview.source_merchant, preview.target_merchant
    return sentences(
        preview.conversion,
        source=preview.source_program,
        target=preview.target_program,
        payer=None if payer == own else names.get(payer, payer),
        payee=None if payee == own else names.get(payee, payee),
    )


def cycle_sentence(cycle: RateCycle) -> str:
    """A way on which points come back, in words: exactly."""
    gain = Fraction(cycle.gain_num, cycle.gain_den)
    path = " → ".join(cycle.path)
    parts = {"path": path, "given": count(gain.denominator), "back": count(gain.numerator), "program": cycle.path[0]}
    if gain > 1:
        return (
            _("%(path)s: %(given)s %(program)s would come back as %(back)s. Points would come out of nothing.") % parts
        )
    if gain == 1:
        return _("%(path)s: as many points come back as were given, never more.") % parts
    return _("%(path)s: %(given)s %(program)s come back as %(back)s. Nobody gains by going round.") % parts


# -------------------------------------------------------------------- graphs


def rate_graph(rates: Rates, names: Mapping[str, str]) -> Graph:
    """Programs, and what their points become. `names` are those of merchants."""
    nodes = [Node(one.program, one.program) for one in rates.nodes]
    takers = {one.target_merchant for one in rates.edges if one.target_program is None}
    nodes += [
        Node(taker, _("Goods of %(merchant)s") % {"merchant": names.get(taker, taker)}) for taker in sorted(takers)
    ]
    edges = [
        Edge(one.source_program, one.target_program or one.target_merchant, edge_label(one)) for one in rates.edges
    ]
    return Graph(_("What points become"), nodes, edges)


def edge_label(edge: RateEdge) -> str:
    """What stands on an arrow: the rate as a fraction, or the price of a point."""
    if edge.target_program is None:
        return str(money(edge.unit_price_micros).striptags())
    return f"{edge.rate_num}/{edge.rate_den}"


def cycle_graph(cycle: RateCycle, rates: Rates, new: tuple[str, str, str]) -> Graph:
    """The cycle that terms would close. `new` is the arrow of the terms: source, target, label."""
    known = {(one.source_program, one.target_program): edge_label(one) for one in rates.edges}
    nodes = [Node(code, code, marked=not cycle.is_allowed) for code in dict.fromkeys(cycle.path)]
    edges = []
    for source, target in zip(cycle.path, cycle.path[1:], strict=False):
        is_new = (source, target) == new[:2]
        label = new[2] if is_new else known.get((source, target), "")
        edges.append(Edge(source, target, label, marked=is_new and not cycle.is_allowed, dashed=is_new))
    return Graph(_("The cycle"), nodes, edges)


# -------------------------------------------------------------------- differences of versions


def differences(old: Agreement, new: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What a new version changes: the term's name, what it was, what it becomes."""
    found = []
    for name, (label, show) in _TERMS.items():
        if name not in new or new[name] is None:
            continue
        before: Any = getattr(old, name)
        after = new[name]
        if name == "initiators":
            before, after = tuple(sorted(before)), tuple(sorted(after))
        if before != after:
            found.append((str(label), show(before), show(after)))
    return found


def _fraction(value: Any) -> str:
    exact = Fraction(value)
    return f"{exact.numerator}/{exact.denominator}"


def _sides(value: Any) -> str:
    names = {"source": _("source"), "target": _("target")}
    return listed(names[str(side)] for side in value)


_TERMS = {
    "rate": (lazy("Rate"), _fraction),
    "unit_price_micros": (lazy("Price of a point"), lambda value: money(value).striptags()),
    "fee_bps": (lazy("Fee of the operator"), basis_points),
    "max_points": (lazy("Most points at once"), count),
    "daily_cap": (lazy("Most points a day"), count),
    "initiators": (lazy("Who may start a movement"), _sides),
    "valid_from": (lazy("Begins"), lambda value: moment(value).striptags()),
    "valid_until": (lazy("Ends"), lambda value: moment(value).striptags()),
    "lifetime_days": (lazy("Days until the new points expire"), count),
    "keep_expiry": (lazy("Points keep their expiry"), lambda value: _("yes") if value else _("no")),
}
"""How a term is named and shown."""
