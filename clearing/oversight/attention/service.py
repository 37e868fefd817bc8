"""What a merchant should look at: each matter counted up to a limit, so that the answer costs the same however much there is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.identity import NetworkIdentity, instant
from clearing.kit.viewer import Viewer
from clearing.ledger.lots.upcoming import UpcomingService
from clearing.ledger.settlement.service import SettlementService
from clearing.notifications.webhooks.models import EndpointState, WebhookEndpoint
from clearing.notifications.webhooks.repository import EndpointRepository
from clearing.ordering.holds.service import HoldService
from clearing.ordering.orders.models import OPEN_STATES, Movement, OrderState
from clearing.ordering.orders.movements import MovementSearch, MovementService
from clearing.oversight.liquidity.models import Level
from clearing.oversight.liquidity.service import LiquidityService, Thresholds
from clearing.parties.agreements.directory import agreements_in
from clearing.parties.agreements.models import AgreementState
from clearing.parties.merchants.models import Merchant

MOST = 100
"""So many are counted of a matter."""
_LATE = timedelta(minutes=1)
"""A movement that is on its way for longer is late."""
_ENDING = timedelta(days=14)
_EXPIRING_DAYS = 7


class Matter(StrEnum):
    """What there may be to look at."""

    REJECTED = "movements_rejected"
    LATE = "movements_late"
    LIQUIDITY_LOW = "liquidity_low"
    LIQUIDITY_CRITICAL = "liquidity_critical"
    AGREEMENTS_ENDING = "agreements_ending"
    AGREEMENTS_TO_SIGN = "agreements_to_sign"
    POINTS_EXPIRING = "points_expiring"
    POINTS_EXPIRED = "points_expired"
    WEBHOOKS_FAILING = "webhooks_failing"


@dataclass(frozen=True, slots=True)
class Attention:
    """A matter that is there."""

    matter: Matter
    count: int
    """Up to MOST."""
    since: datetime | None = None
    """When the oldest that was counted began."""
    until: datetime | None = None
    """When the first one ends."""
    collection: str = ""
    """Where the API shows them."""
    filter: Mapping[str, str] = field(default_factory=dict)
    """What narrows the collection to them."""


class AttentionService:
    """What a merchant should look at, in one session. Reads only."""

    def __init__(self, session: Session, *, network: NetworkIdentity, thresholds: Thresholds) -> None:
        self._session = session
        self._network = network
        self._thresholds = thresholds
        self._clock = clock_of(session)

    def of(self, merchant: Merchant) -> list[Attention]:
        """What the merchant should look at now, what is urgent first."""
        viewer = Viewer(merchant.number)
        return [
            *self._late(viewer),
            *self._rejected(viewer),
            *self._liquidity(merchant),
            *self._webhooks(merchant),
            *self._agreements_to_sign(merchant),
            *self._agreements_ending(merchant),
            *self._points_expired(viewer),
            *self._points_expiring(viewer),
        ]

    # ---------------------------------------------------------------- movements

    def _rejected(self, viewer: Viewer) -> Iterator[Attention]:
        begin = self._clock.now() - timedelta(days=1)
        search = MovementSearch(state=OrderState.REJECTED, created_from=begin)
        found = self._movements(viewer, search)
        yield from self._of_movements(Matter.REJECTED, found, {"state": "rejected", "created[gte]": begin.isoformat()})

    def _late(self, viewer: Viewer) -> Iterator[Attention]:
        end = self._clock.now() - _LATE
        for state in OPEN_STATES:
            found = self._movements(viewer, MovementSearch(state=state, created_before=end))
            yield from self._of_movements(Matter.LATE, found, {"state": state, "created[lt]": end.isoformat()})

    def _movements(self, viewer: Viewer, search: MovementSearch) -> Sequence[Movement]:
        return MovementService(self._session).list(viewer, search, after=None, limit=MOST)

    @staticmethod
    def _of_movements(matter: Matter, found: Sequence[Movement], wanted: Mapping[str, str]) -> Iterator[Attention]:
        if found:
            yield Attention(matter, len(found), found[-1].order.created_at, None, "movements", wanted)

    # ---------------------------------------------------------------- money, agreements, webhooks

    def _liquidity(self, merchant: Merchant) -> Iterator[Attention]:
        position = SettlementService(self._session).position(Viewer(merchant.number), merchant.id)
        level, since = LiquidityService(self._session, self._thresholds).level_of(position)
        if level is not Level.FINE:
            matter = Matter.LIQUIDITY_LOW if level is Level.LOW else Matter.LIQUIDITY_CRITICAL
            yield Attention(matter, 1, since, None, f"positions/{merchant.id}")

    def _agreements_ending(self, merchant: Merchant) -> Iterator[Attention]:
        """Agreements without a successor: what may be done today may be impossible soon."""
        at, soon = self._clock.unix(), int((self._clock.now() + _ENDING).timestamp())
        directory = agreements_in(self._session)
        ending = [
            agreement
            for agreement in directory.usable_at(at)
            if merchant.number in (agreement.source_merchant, agreement.target_merchant)
            and agreement.usable_until <= soon
            and directory.successor(agreement, soon) is None
        ]
        if ending:
            first = min(agreement.usable_until for agreement in ending)
            active = {"state": "active"}
            yield Attention(Matter.AGREEMENTS_ENDING, len(ending), None, instant(first), "agreements", active)

    def _agreements_to_sign(self, merchant: Merchant) -> Iterator[Attention]:
        at = self._clock.unix()
        waiting = [
            agreement
            for agreement in agreements_in(self._session).proposed()
            if agreement.state_at(at) is AgreementState.PROPOSED and agreement.lacks_signature_of(merchant.number)
        ]
        if waiting:
            since = min(agreement.created_at for agreement in waiting)
            ends = [agreement.accept_by for agreement in waiting if agreement.accept_by]
            until = instant(min(ends)) if ends else None
            proposed = {"state": "proposed"}
            yield Attention(Matter.AGREEMENTS_TO_SIGN, len(waiting), since, until, "agreements", proposed)

    def _webhooks(self, merchant: Merchant) -> Iterator[Attention]:
        endpoints = EndpointRepository(self._session).list(merchant_number=merchant.number, after=None, limit=MOST)
        failing = [endpoint for endpoint in endpoints if _fails(endpoint)]
        if failing:
            since = min((e.failing_since for e in failing if e.failing_since is not None), default=None)
            yield Attention(Matter.WEBHOOKS_FAILING, len(failing), since, None, "webhook_endpoints")

    # ---------------------------------------------------------------- points

    def _points_expired(self, viewer: Viewer) -> Iterator[Attention]:
        """Points that are over, and that wait for an order which burns them."""
        due = HoldService(self._session, network=self._network).due(viewer, after=None, limit=MOST)
        if due:
            yield Attention(Matter.POINTS_EXPIRED, len(due), due[-1].created_at, None, "expirations/due")

    def _points_expiring(self, viewer: Viewer) -> Iterator[Attention]:
        """Accounts that have points which may expire soon. (Whether they still do, their lots say.)"""
        end = self._network.date_of(self._network.day_at(self._clock.unix()) + _EXPIRING_DAYS + 1)
        found = UpcomingService(self._session, network=self._network).places(viewer, end_day=end, limit=MOST)
        if found:
            until = self._network.begin_of(found[0].due_on)
            before = {"day[lt]": end.isoformat()}
            yield Attention(Matter.POINTS_EXPIRING, len(found), None, until, "expirations/upcoming", before)


def _fails(endpoint: WebhookEndpoint) -> bool:
    return endpoint.failing_since is not None or endpoint.state is EndpointState.DISABLED
