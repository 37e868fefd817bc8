"""Rules of fills. A fill is what its events say, whatever their order; who it is for follows from plates and cards at its point.

What follows is compared with what was booked after each event, in the same transaction, so a fill has one sale that is right: it is
booked when the fill is done, and recognised or corrected by whatever comes late.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from loyalty.corrections.service import CorrectionService, SentCorrection
from loyalty.customers.models import IdentifierKind
from loyalty.customers.service import CustomerService, Shown
from loyalty.devices.models import Device
from loyalty.devices.service import DeviceService
from loyalty.fills.events import SentEvent, line_of
from loyalty.fills.models import DeviceEvent, EventKind, Fill, FillState
from loyalty.fills.recognition import Sighting, Span, recognise
from loyalty.fills.repository import FillRepository
from loyalty.intake.documents import SentSale
from loyalty.intake.group import document_of
from loyalty.intake.service import IntakeService
from loyalty.kit.database import clock_of, lock
from loyalty.kit.errors import Contradiction, Malformed, Refusal, Unknown
from loyalty.kit.ids import new_id
from loyalty.sales.models import Document, RecordedSale
from loyalty.sales.types import Weather
from loyalty.stations.service import StationService

_AHEAD = timedelta(minutes=5)
"""How far a device's clock may be ahead."""
_PIECE = 500
"""Events that are forgotten by one statement."""
_LATE = "a device's event came late"


class FillService:
    """Events and fills in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._fills = FillRepository(session)
        self._devices = DeviceService(session)
        self._stations = StationService(session)
        self._customers = CustomerService(session)
        self._intake = IntakeService(session)
        self._corrections = CorrectionService(session)

    # ---------------------------------------------------------------- what devices post

    def take(self, device: Device, sent: SentEvent) -> DeviceEvent:
        """Keeps an event, and books what follows from it. The same event again is the first one.

        Raises:
            Malformed: It cannot be meant; the pointer says what.
            Contradiction: Another event of the device has this number.
        """
        sent.check(device)
        giver = self._giver(device, sent)
        point = str(giver.point)
        lock(self._session, f"point:{device.station_id}:{point}")
        lock(self._session, f"event:{device.id}:{sent.number}")
        content = sent.model_dump(mode="json", exclude_none=True)
        fingerprint = sha256(json.dumps(content, sort_keys=True).encode()).digest()
        known = self._fills.event(device.id, sent.number)
        if known is not None:
            if known.fingerprint != fingerprint:
                detail = f"event {sent.number} is here already, and says something else: give this one another number"
                raise Contradiction("event_differs", detail, pointer="/number")
            return known
        now = clock_of(self._session).now()
        if sent.at > now + _AHEAD:
            detail = f"it is {now:%Y-%m-%dT%H:%M:%SZ} now: set the device's clock"
            raise Malformed("time_ahead", detail, pointer="/time")
        shown = _shown(sent)
        customer = None if shown is None else self._customers.known_by(shown, f"/{shown.kind}")
        if shown is not None and customer is not None:
            del content[shown.kind]  # who is known can be forgotten: the plate stands with the customer only
        event = DeviceEvent(
            id=new_id("evt"),
            device_id=device.id,
            number=sent.number,
            kind=sent.kind,
            station_id=device.station_id,
            point=point,
            at=sent.at,
            fill_id=None,
            customer_id=customer,
            content=content,
            fingerprint=fingerprint,
        )
        device.last_seen_at = now
        if shown is None:
            first, last = self._fold(device, event, sent)
        else:
            self._fills.add(event)
            first = last = sent.at
        self._settle(giver, point, first, last)
        return event

    def _giver(self, device: Device, sent: SentEvent) -> Device:
        """The pump or wash bay that it is about."""
        if not sent.kind.is_sighting:
            return device
        point = sent.point or device.point
        if point is None:
            detail = "say at which pump or wash bay it was: this device does not always stand at one"
            raise Malformed("field_missing", detail, pointer="/point")
        return self._devices.at_point(device.station_id, point)

    def _fold(self, device: Device, event: DeviceEvent, sent: SentEvent) -> tuple[datetime, datetime]:
        """Adds an event to its fill. To add them in another order gives the same fill. Returns when it ran, before or after."""
        assert sent.fill is not None, "it was checked"
        fill = self._fills.fill(device.id, sent.fill)
        idle = timedelta(seconds=device.idle_seconds)
        if fill is None:
            fill = Fill(
                id=new_id("fil"),
                device_id=device.id,
                number=sent.fill,
                station_id=device.station_id,
                point=event.point,
                state=FillState.RUNNING,
                started_at=sent.at,
                last_at=sent.at,
                ends_at=sent.at + idle,
                total=None,
                total_order="",
                quantity_milli=0,
                amount_micros=0,
                customer_id=None,
                shown=None,
                sale_id=None,
                booked=None,
                corrections=0,
                problem=None,
            )
            self._fills.add(fill)
        before = fill.started_at, fill.ends_at
        event.fill_id = fill.id
        self._fills.add(event)
        fill.started_at = min(fill.started_at, sent.at)
        fill.last_at = max(fill.last_at, sent.at)
        if sent.quantity_milli is not None and sent.amount_micros is not None:
            order = f"{sent.kind is EventKind.DONE:d}:{sent.at.isoformat()}:{sent.number}"
            if order > fill.total_order:
                fill.total, fill.total_order = sent.total(device), order
                fill.quantity_milli, fill.amount_micros = sent.quantity_milli, sent.amount_micros
                if sent.kind is EventKind.DONE:
                    fill.state, fill.ends_at = FillState.DONE, sent.at
        if fill.state is FillState.RUNNING:
            fill.ends_at = fill.last_at + idle
        elif fill.state is FillState.CLOSED:
            fill.ends_at = fill.last_at
        self._session.flush()
        return min(before[0], fill.started_at), max(before[1], fill.ends_at)

    def close(self, fill_id: str) -> Fill:
        """Closes a fill that has not been heard of for too long, with what was seen last. Raises Unknown."""
        fill = self.get(fill_id)
        lock(self._session, f"point:{fill.station_id}:{fill.point}")
        fill = self.get(fill_id)
        if fill.state is FillState.RUNNING and fill.ends_at < clock_of(self._session).now():
            before = fill.ends_at
            fill.state, fill.ends_at = FillState.CLOSED, fill.last_at
            self._session.flush()
            self._settle(self._devices.get(fill.device_id), fill.point, fill.started_at, before)
        return fill

    def overdue(self, limit: int) -> Sequence[str]:
        """Ids of fills that are to be closed now."""
        return self._fills.overdue(clock_of(self._session).now(), limit)

    def clean_up(self, days: int) -> int:
        """Forgets some of what devices said on the way that is older than so many days; how many. What was given out stays."""
        return self._fills.remove_progress_before(clock_of(self._session).now() - timedelta(days), _PIECE)

    # ---------------------------------------------------------------- what follows

    def _settle(self, giver: Device, point: str, first: datetime, last: datetime) -> None:
        """Finds out for whom the fills of a point are, and books what they are, as far as a change between two moments reaches."""
        station, window = giver.station_id, timedelta(seconds=giver.recognition_seconds)
        around = self._fills.between(station, point, first - 2 * window, last + 2 * window)
        if not around:
            return
        begin, end = min(one.started_at for one in around) - window, max(one.ends_at for one in around)
        spans = [
            Span(one.id, one.number, one.started_at, one.ends_at, one.state is FillState.RUNNING) for one in around
        ]
        found = recognise(spans, map(_sighting, self._fills.sightings(station, point, begin, end)), window)
        for fill in around:
            if fill.ends_at >= first - window and fill.started_at <= last + window:
                sighting = found.get(fill.id)
                fill.customer_id = sighting.customer if sighting else None
                fill.shown = sighting.shown if sighting and sighting.customer is None else None
                self._book(fill)

    def _book(self, fill: Fill) -> None:
        """Books what a fill says, unless it is booked. What cannot be booked is noted, and shown to the staff."""
        if fill.state is FillState.RUNNING:
            return
        content = json.dumps([fill.state, fill.ends_at.isoformat(), fill.total, fill.customer_id, fill.shown])
        booked = sha256(content.encode()).digest()
        if booked == fill.booked:
            return
        try:
            with self._session.begin_nested():
                sale = self._sale(fill)
                if sale is not None:
                    fill.sale_id = sale.id
        except Refusal as error:
            fill.problem = error.detail[:500]
        else:
            fill.booked, fill.problem = booked, None
        self._session.flush()

    def _sale(self, fill: Fill) -> RecordedSale | None:
        """Books the sale, or corrects it; None if nothing was given out."""
        is_nothing = fill.total is None or not (fill.quantity_milli or fill.amount_micros)
        if fill.sale_id is None:
            return None if is_nothing else self._intake.take_sale(self._sent(fill, fill.number))
        if is_nothing:
            detail = f"the device says now that nothing was given out: book a return of sale {fill.sale_id}"
            raise Contradiction("nothing_given_out", detail)
        wrong = self._intake.sale(fill.sale_id)
        sent = self._sent(fill, wrong.number)
        same = wrong.sold_at == sent.time and wrong.lines == self._lines(sent)
        if same and wrong.customer_id == fill.customer_id:
            return wrong
        if same and wrong.customer_id is None and fill.customer_id is not None:
            return self._intake.recognise(wrong.id, fill.customer_id, actor=fill.device_id, reason=_LATE)
        fill.corrections += 1
        right = self._sent(fill, f"{fill.number}-{fill.corrections + 1}")
        correction = self._corrections.correct(
            SentCorrection(document_of(wrong), right), actor=fill.device_id, reason=_LATE
        )
        return self._intake.sale(correction.right_id)

    def _sent(self, fill: Fill, number: str) -> SentSale:
        """The sale that a fill is. Its till is the point, its number the fill's."""
        assert fill.total is not None, "something was given out"
        zone = ZoneInfo(self._stations.get(fill.station_id).time_zone)
        kind, _, value = (fill.shown or "").partition(":")
        return SentSale(
            document=Document(fill.station_id, fill.ends_at.astimezone(zone).date(), fill.point, number),
            time=fill.ends_at,
            lines=(line_of(fill.total),),
            weather=Weather(),
            customer=fill.customer_id,
            shown=Shown(IdentifierKind(kind), value) if kind else None,
        )

    @staticmethod
    def _lines(sent: SentSale) -> list[dict[str, object]]:
        names = ("number", "article", "category", "quantity_milli", "unit", "amount_micros")
        return [{name: getattr(line, name) for name in names} for line in sent.lines]

    # ---------------------------------------------------------------- looking

    def get(self, fill_id: str) -> Fill:
        """The fill with this id. Raises Unknown."""
        fill = self._fills.get(fill_id)
        if fill is None:
            raise Unknown("unknown_fill", f"there is no fill {fill_id}")
        return fill

    def page(
        self,
        *,
        station: str | None,
        device: str | None,
        state: FillState | None,
        customer: str | None,
        has_problem: bool | None,
        cursor: str | None,
        limit: int,
    ) -> tuple[Sequence[Fill], str | None]:
        """Fills, newest first."""
        return self._fills.page(station, device, state, customer, has_problem, cursor, limit)

    def events(
        self, *, device: str | None, fill: str | None, kind: EventKind | None, cursor: str | None, limit: int
    ) -> tuple[Sequence[DeviceEvent], str | None]:
        """Events, those that came last first."""
        return self._fills.events(device, fill, kind, cursor, limit)


def _shown(sent: SentEvent) -> Shown | None:
    if sent.plate is not None:
        return Shown(IdentifierKind.PLATE, sent.plate)
    return None if sent.card is None else Shown(IdentifierKind.CARD, sent.card)


def _sighting(event: DeviceEvent) -> Sighting:
    is_card = event.kind is EventKind.CARD_SHOWN
    kind = IdentifierKind.CARD if is_card else IdentifierKind.PLATE
    return Sighting(
        at=event.at,
        is_card=is_card,
        customer=event.customer_id,
        shown=f"{kind}:{event.content.get(kind, '')}",
        order=f"{event.device_id}:{event.number}",
    )
