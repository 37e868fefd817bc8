"""Daily totals, partners, positions day by day, and points in circulation."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field

from gateway.http.schemas import View


class ActivityView(View):
    """What a merchant did on a day in a program, by a kind, in one direction. Today's grows with every block."""

    day: date = Field(description="the network's day")
    merchant: str
    counterparty: str | None = Field(description="the partner that you asked for; null: all of them together")
    program: str | None = Field(description="in whose points `points` counts; null for deposits and withdrawals")
    kind: str = Field(description="of the movements, or `deposit`, `withdrawal`", examples=["exchange"])
    of: str | None = Field(description="of reversals: the kind that they reversed")
    direction: Literal["in", "out"] = Field(
        description="`out`: points or money went out from the merchant, or from its program; `in`: they came in"
    )
    count: int
    points: int
    micros: int = Field(description="what was settled: paid if it went out, received if it came in")
    fee_micros: int = Field(
        description="on top of it, the same way: to the operator; of a reversal, back to the one that had paid it"
    )


class SettledView(View):
    """What two merchants paid each other. Each movement was paid at once, from position to position."""

    received_micros: int
    paid_micros: int
    net_micros: int = Field(description="received - paid")
    fee_micros: int = Field(description="what the merchant paid to the operator besides")


class PartnerView(View):
    """A partner, and who owed whom."""

    merchant: str = Field(description="the partner")
    name: str
    since: SettledView = Field(description="since the day that you asked for, today included")
    today: SettledView


class PositionDayView(View):
    """A position at the end of a day; of today: now."""

    day: date
    position_micros: int
    change_micros: int = Field(description="what the day did to it")


class PositionHistoryView(View):
    """A merchant's position, day by day."""

    merchant: str
    days: list[PositionDayView] = Field(description="oldest first; the last one is today")


class CirculationView(View):
    """A program's points since it exists, and those in circulation now: the sum of what came less what went."""

    program: str
    issued: int
    exchanged_in: int
    given_back: int = Field(description="what reversals gave back to members")
    redeemed: int
    exchanged_out: int
    spent: int = Field(description="at other merchants")
    expired: int
    taken_back: int = Field(description="what reversals took back from members")
    in_circulation: int = Field(description="what members have now")
