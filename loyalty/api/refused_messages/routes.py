"""What devices published over MQTT and nobody can mean."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from loyalty.api.fields import Decision, View
from loyalty.http.routes import Calling, Cursor, Limit, api
from loyalty.kit.paging import Page, shown
from loyalty.mqtt.models import RefusedState
from loyalty.mqtt.service import DeviceMessageService

router = api("devices")


class RefusedMessageView(View):
    """What a device published, and why it was refused."""

    id: str
    topic: str
    device: str | None = Field(description="whose topic it is; there need be no such device")
    payload: str = Field(description="its beginning, as far as it is text")
    code: str
    field: str = Field(description="JSON pointer into the payload, or empty")
    detail: str
    times: int = Field(description="how often it came")
    first_at: datetime
    last_at: datetime
    state: RefusedState = Field(description="what a person has decided: `open` is nothing yet")
    decided_at: datetime | None
    decided_by: str | None
    reason: str | None = Field(description="why it was put aside")
    is_whole: bool = Field(description="whether all of it is kept, so that it can be taken again")


@router.get("/v1/refused-messages")
def list_refused_messages(
    call: Calling,
    device: str | None = None,
    state: RefusedState | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[RefusedMessageView]:
    """Messages of devices that were refused, those that came first last."""
    found = DeviceMessageService(call.session).page(device=device, state=state, cursor=cursor, limit=limit)
    return shown(found, RefusedMessageView.of)


@router.get("/v1/refused-messages/{message}")
def get_refused_message(call: Calling, message: str) -> RefusedMessageView:
    """One refused message."""
    return RefusedMessageView.of(DeviceMessageService(call.session).get(message))


@router.post("/v1/refused-messages/{message}/take-again")
def take_refused_message_again(call: Calling, message: str) -> RefusedMessageView:
    """Take a message as it came, when what stood against it is mended. What stands against it now is refused."""
    return RefusedMessageView.of(DeviceMessageService(call.session).take_again(message, actor=call.actor))


@router.post("/v1/refused-messages/{message}/put-aside")
def put_refused_message_aside(call: Calling, message: str, decision: Decision) -> RefusedMessageView:
    """Note that nothing is to follow from a message."""
    messages = DeviceMessageService(call.session)
    return RefusedMessageView.of(messages.put_aside(message, actor=call.actor, reason=decision.reason))
