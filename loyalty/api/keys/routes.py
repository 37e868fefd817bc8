"""Keys of staff. A device gets its key when it is added."""

from __future__ import annotations

from loyalty.api.fields import Decision
from loyalty.api.keys.schemas import KeyView, NewKey, NewKeyView
from loyalty.http.routes import Calling, Cursor, Limit, api
from loyalty.kit.errors import Malformed
from loyalty.kit.paging import Page, shown
from loyalty.staff.models import Role
from loyalty.staff.service import KeyService

router = api("keys")


@router.get("/v1/keys")
def list_keys(call: Calling, cursor: Cursor = None, limit: Limit = 50) -> Page[KeyView]:
    """Keys, newest first."""
    return shown(KeyService(call.session).page(cursor=cursor, limit=limit), KeyView.of)


@router.post("/v1/keys", status_code=201)
def add_key(call: Calling, new: NewKey) -> NewKeyView:
    """Make a key. Its secret is in this answer, and nowhere else."""
    if new.role is Role.DEVICE:
        detail = "a device gets its key when it is added: POST /v1/devices"
        raise Malformed("key_of_device", detail, pointer="/role")
    key, secret = KeyService(call.session).add(new.name, new.role, actor=call.actor)
    call.secrets.add("secret")
    return NewKeyView.of(key, secret=secret)


@router.post("/v1/keys/{key}/revoke")
def revoke_key(call: Calling, key: str, decision: Decision) -> KeyView:
    """End a key at once."""
    return KeyView.of(KeyService(call.session).revoke(key, actor=call.actor, reason=decision.reason))
