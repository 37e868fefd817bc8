"""Activity as the API shows it."""

from __future__ import annotations

from collections.abc import Sequence

from clearing.ledger.activity.circulation import Circulation
from clearing.ledger.activity.models import BANK, EVERYONE, NO_PROGRAM, DailyTotal, Flow
from clearing.ledger.activity.service import Partner, PositionDay, Settled
from clearing.parties.programs.models import Program
from gateway.api.activity.schemas import (
    ActivityView,
    CirculationView,
    PartnerView,
    PositionDayView,
    PositionHistoryView,
    SettledView,
)
from gateway.http.context import Call
from tongdui.orders import Kind


def activity_view(call: Call, total: DailyTotal) -> ActivityView:
    """A daily total with names in place of numbers."""
    names = call.names
    bank = "deposit" if total.flow == Flow.IN else "withdrawal"
    return ActivityView(
        day=call.gateway.network.date_of(total.day),
        merchant=names.merchant(total.merchant),
        counterparty=None if total.counterparty == EVERYONE else names.merchant(total.counterparty),
        program=None if total.program == NO_PROGRAM else names.program(total.program),
        kind=bank if total.kind == BANK else Kind(total.kind).label,
        of=Kind(total.reversed_kind).label if total.reversed_kind else None,
        direction="in" if total.flow == Flow.IN else "out",
        count=total.entries,
        points=total.points,
        micros=total.micros,
        fee_micros=total.fees,
    )


def partner_view(partner: Partner) -> PartnerView:
    """A partner, and who owed whom."""
    return PartnerView(
        merchant=partner.merchant.id,
        name=partner.merchant.name,
        since=_settled_view(partner.since),
        today=_settled_view(partner.today),
    )


def position_history_view(call: Call, merchant: str, days: Sequence[PositionDay]) -> PositionHistoryView:
    """A position, day by day."""
    network = call.gateway.network
    shown = [
        PositionDayView(day=network.date_of(each.day), position_micros=each.position, change_micros=each.change)
        for each in days
    ]
    return PositionHistoryView(merchant=merchant, days=shown)


def circulation_view(program: Program, circulation: Circulation) -> CirculationView:
    """A program's points."""
    return CirculationView(
        program=program.code,
        issued=circulation.issued,
        exchanged_in=circulation.exchanged_in,
        given_back=circulation.restored,
        redeemed=circulation.redeemed,
        exchanged_out=circulation.exchanged_out,
        spent=circulation.spent,
        expired=circulation.expired,
        taken_back=circulation.revoked,
        in_circulation=circulation.in_circulation,
    )


def _settled_view(settled: Settled) -> SettledView:
    return SettledView(
        received_micros=settled.received,
        paid_micros=settled.paid,
        net_micros=settled.net,
        fee_micros=settled.fees,
    )
