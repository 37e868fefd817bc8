"""What a merchant did, day by day, and with whom; its position, day by day; a program's points in circulation."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from tongdui._models import Model


class Activity(Model):
    """What a merchant did on a day in a program, by a kind, in one direction. Today's grows with every block.

    `direction`: `out` if points or money went out from the merchant, or from its program; `in` if they came in. `micros` is what
    was settled, `fee_micros` what was paid or received on top. `counterparty` is None where all partners are added up,
    `program` of deposits and withdrawals; `of` is the kind that reversals reversed.
    """

    day: date
    merchant: str
    counterparty: str | None = None
    program: str | None = None
    kind: str
    of: str | None = None
    direction: str
    count: int
    points: int
    micros: int
    fee_micros: int


class Settled(Model):
    """What two merchants paid each other, and what the first one paid to the operator besides (`fee_micros`)."""

    received_micros: int
    paid_micros: int
    net_micros: int
    fee_micros: int


class Partner(Model):
    """A partner, and who owed whom: since a day, and today. `merchant` is the partner."""

    merchant: str
    name: str
    since: Settled
    today: Settled


class PositionDay(Model):
    """A position at the end of a day (of today: now), and what the day did to it."""

    day: date
    position_micros: int
    change_micros: int


class PositionHistory(Model):
    """A merchant's position, day by day: oldest first, the last one is today."""

    merchant: str
    days: tuple[PositionDay, ...]


class Circulation(Model):
    """A program's points since it exists, and those that members have now (`in_circulation`).

    `given_back` and `taken_back` are what reversals gave to members and took from them.
    """

    program: str
    issued: int
    exchanged_in: int
    given_back: int
    redeemed: int
    exchanged_out: int
    spent: int
    expired: int
    taken_back: int
    in_circulation: int


class Attention(Model):
    """Something to look at: of a kind, how many (100 stands for as many or more), and the list that shows them.

    `since` is when the oldest began, `until` when the first one ends, where there is such a moment. `filter` has the parameters
    that narrow the list `/v1/{collection}` to them.
    """

    kind: str
    count: int
    since: datetime | None = None
    until: datetime | None = None
    collection: str
    filter: Mapping[str, str] = {}


class Attentions(Model):
    """Everything to look at now, what is urgent first."""

    data: tuple[Attention, ...] = ()
