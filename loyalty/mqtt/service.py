"""Rules of what comes over MQTT: a topic says whose event it is, the event is taken as over HTTP, and what is refused is kept."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from pydantic import ValidationError
from sqlalchemy.orm import Session

from loyalty.audit_log.service import AuditLog
from loyalty.devices.models import Device
from loyalty.devices.service import DeviceService
from loyalty.fills.events import SentEvent
from loyalty.fills.service import FillService
from loyalty.kit.database import clock_of, lock
from loyalty.kit.errors import Contradiction, Malformed, NotAllowed, NotNow, Refusal, Unknown
from loyalty.kit.ids import new_id
from loyalty.mqtt.models import RefusedMessage, RefusedState, fingerprint_of
from loyalty.mqtt.repository import RefusedMessageRepository

TOPICS: Final = "tongdui/+/+/events"
"""Where devices publish: `tongdui/<station>/<device>/events`."""
LARGEST_PAYLOAD = 20_000
_TOPIC = re.compile(r"tongdui/([^/]+)/([^/]+)/events")
_KEPT = 4_000
_KEPT_DAYS = 90


class DeviceMessageService:
    """Messages of devices in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._devices = DeviceService(session)
        self._fills = FillService(session)
        self._refused = RefusedMessageRepository(session)
        self._log = AuditLog(session)

    def take(self, topic: str, payload: bytes) -> RefusedMessage | None:
        """Takes the event that a message is, or keeps the message as refused. Either way it has been dealt with.

        Raises:
            NotNow: It may succeed a little later.
        """
        try:
            with self._session.begin_nested():
                self._fills.take(self._device(topic), _event(payload))
        except NotNow:
            raise
        except Refusal as error:
            return self.refuse(topic, payload, error.code, error.detail, error.pointer)
        return None

    def _device(self, topic: str) -> Device:
        """The device whose topic it is: the broker lets nobody else publish there. Raises a Refusal."""
        named = _TOPIC.fullmatch(topic)
        if named is None:
            raise Malformed("bad_topic", "a device publishes to tongdui/STATION/DEVICE/events")
        device = self._devices.get(named[2])
        if device.revoked_at is not None:
            raise NotAllowed(
                "device_revoked", f"{device.id} was revoked: add the device again, and use the key that it gets"
            )
        if device.station_id != named[1]:
            detail = f"{device.id} stands at {device.station_id}: have it publish to tongdui/{device.station_id}/{device.id}/events"
            raise Malformed("other_station", detail)
        return device

    def refuse(self, topic: str, payload: bytes, code: str, detail: str, pointer: str = "") -> RefusedMessage:
        """Keeps a message that cannot be meant, so that it does not come for ever."""
        fingerprint = fingerprint_of(topic, payload)
        lock(self._session, f"refused-message:{fingerprint.hex()}")
        known = self._refused.with_content(fingerprint)
        if known is not None:
            known.times += 1
            known.code, known.field, known.detail = code, pointer[:200], detail
            known.last_at = clock_of(self._session).now()
            self._session.flush()
            return known
        named = _TOPIC.fullmatch(topic)
        message = RefusedMessage(
            id=new_id("rfm"),
            fingerprint=fingerprint,
            topic=topic[:300],
            device=named[2][:40] if named else None,
            payload=payload[:_KEPT].decode("utf-8", "replace").replace("\0", "\ufffd"),
            code=code,
            field=pointer[:200],
            detail=detail,
            decided_at=None,
            decided_by=None,
            reason=None,
        )
        self._refused.add(message)
        return message

    def clean_up(self) -> None:
        """Forgets what has not come for a quarter of a year."""
        self._refused.forget(clock_of(self._session).now() - timedelta(days=_KEPT_DAYS))

    # ---------------------------------------------------------------- what a person decides

    def take_again(self, message_id: str, *, actor: str) -> RefusedMessage:
        """Takes a message that was refused, as it came.

        Raises:
            Contradiction: Somebody has decided about it, or not all of it is kept.
            Refusal: What stands against it now.
        """
        message = self._open(message_id)
        if not message.is_whole:
            raise Contradiction("not_whole", "not all of the message is kept, or it is no text: put it aside")
        self._fills.take(self._device(message.topic), _event(message.payload.encode()))
        self._decide(message, RefusedState.TAKEN, actor)
        self._log.note(actor, "refused_message.taken", message.id)
        return message

    def put_aside(self, message_id: str, *, actor: str, reason: str) -> RefusedMessage:
        """Notes that nothing is to follow from a message. Raises Contradiction if somebody has decided about it."""
        message = self._open(message_id)
        message.reason = reason
        self._decide(message, RefusedState.PUT_ASIDE, actor)
        self._log.note(actor, "refused_message.put_aside", message.id, reason=reason)
        return message

    def _open(self, message_id: str) -> RefusedMessage:
        message = self.get(message_id, for_update=True)
        if message.state is not RefusedState.OPEN:
            raise Contradiction("already_decided", f"somebody has decided about {message_id} already")
        return message

    def _decide(self, message: RefusedMessage, state: RefusedState, actor: str) -> None:
        message.state, message.decided_by, message.decided_at = state, actor, clock_of(self._session).now()
        self._session.flush()

    # ---------------------------------------------------------------- looking

    def get(self, message_id: str, *, for_update: bool = False) -> RefusedMessage:
        """The refused message with this id. Raises Unknown."""
        message = self._refused.get(message_id, for_update=for_update)
        if message is None:
            raise Unknown("unknown_refused_message", f"there is no refused message {message_id}")
        return message

    def open_count(self) -> int:
        """How many messages nobody has decided about."""
        return self._refused.open_count()

    def page(
        self, *, device: str | None, state: RefusedState | None, cursor: str | None, limit: int
    ) -> tuple[Sequence[RefusedMessage], str | None]:
        """Messages that were refused, those that came first last."""
        return self._refused.page(device, state, cursor, limit)


def _event(payload: bytes) -> SentEvent:
    """The event that a payload is. Raises Malformed."""
    if len(payload) > LARGEST_PAYLOAD:
        raise Malformed("message_too_large", f"an event has at most {LARGEST_PAYLOAD} bytes, not {len(payload)}")
    try:
        return SentEvent.model_validate_json(payload)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        pointer = "".join(f"/{part}" for part in first["loc"])
        detail = f"{pointer.lstrip('/')}: {first['msg']}" if pointer else f"the payload is no event: {first['msg']}"
        raise Malformed("validation_failed", detail, pointer=pointer) from None
