"""What devices published over MQTT and nobody can mean."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from loyalty.api.fields import View
from loyalty.http.routes import Calling, Cursor, Limit, api
from loyalty.kit.paging import Page, shown
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


@router.get("/v1/refused-messages")
def list_refused_messages(
    call: Calling, device: str | None = None, cursor: Cursor = None, limit: Limit = 50
) -> Page[RefusedMessageView]:
    """Messages of devices that were refused, those that came first last."""
    found = DeviceMessageService(call.session).page(device=device, cursor=cursor, limit=limit)
    return shown(found, RefusedMessageView.of)
