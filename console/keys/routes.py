"""API keys: made, shown once, and revoked."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from console.asking import NEEDS_APPROVAL, asked
from console.keys.forms import MerchantKey, NetworkKey
from console.keys.scopes import ABILITIES, ROLES, SCOPES
from console.keys.view import Row, living_below, makers_of, state_of
from console.listing import complete
from console.merchants import merchant_names
from console.problems import refusals
from console.rights import MAKE_KEYS, may, require
from console.visit import Visit, Visiting
from pages.forms import Form
from pages.paging import cursor_of, pager_of
from pages.translations import Text
from pages.translations import gettext as _
from tongdui import ApiKey

router = APIRouter()
_ROWS = 50


@router.get("")
async def keys(visit: Visiting) -> Response:
    """All keys, newest first."""
    page = await visit.client.api_keys.list(page_size=_ROWS).page(cursor_of(visit.request))
    return visit.page(
        "keys/list.html",
        rows=[Row(one, _abilities(one), state_of(one)) for one in page.data],
        makers=await makers_of(visit, page.data),
        names=await merchant_names(visit) if visit.seat.merchant is None else {},
        roles=ROLES,
        pager=pager_of(visit.request, page.next_cursor),
        may_make=may(visit, MAKE_KEYS),
    )


@router.get("/new")
async def ask_new(visit: Visiting) -> Response:
    """An empty key."""
    return _new(visit, MerchantKey() if visit.seat.merchant else NetworkKey(options={"role": _roles(visit)}))


@router.post("/new")
async def create(visit: Visiting) -> Response:
    """Makes a key, and shows its secret this once."""
    form = await _read(visit)
    if form.is_valid:
        if isinstance(form, NetworkKey) and form.values["role"] in NEEDS_APPROVAL:
            with refusals(form):
                approval = await visit.client.api_keys.request(
                    **_wanted(form), reason=form.values["reason"], idempotency_key=form.key
                )
            if form.is_valid:
                return asked(visit, approval)
        else:
            with refusals(form):
                made = await visit.client.api_keys.create(**_wanted(form), idempotency_key=form.key)
            if form.is_valid:
                crumbs = [(_("New key"), None)]
                return visit.page("keys/secret.html", made=made, abilities=_abilities(made), crumbs=crumbs)
    return _new(visit, form)


@router.get("/{key}/revoke")
async def ask_revoke(visit: Visiting, key: str) -> Response:
    """Says what revoking a key does."""
    return await _revoke(visit, key, Form())


@router.post("/{key}/revoke")
async def revoke(visit: Visiting, key: str) -> Response:
    """Ends a key at once."""
    form = await Form.read(visit.request)
    if form.is_valid:
        with refusals(form):
            await visit.client.api_keys.revoke(key, idempotency_key=form.key)
        if form.is_valid:
            return visit.redirect("/keys", _("The key is revoked: whoever has it can do nothing any more."))
    return await _revoke(visit, key, form)


async def _read(visit: Visit) -> MerchantKey | NetworkKey:
    if visit.seat.merchant:
        return await MerchantKey.read(visit.request)
    return await NetworkKey.read(visit.request, options={"role": _roles(visit)})


def _roles(visit: Visit) -> dict[str, Text]:
    """Of which roles the person may make keys, or ask for them."""
    roles = ("operator", "auditor") if visit.seat.role == "operator" else ("treasury",)
    return {role: ABILITIES[role] for role in roles}


def _wanted(form: MerchantKey | NetworkKey) -> dict[str, Any]:
    """The key as the gateway takes it."""
    networks = (form.values["networks"] or "").split()
    limits = {name: form.values[name] for name in ("name", "expires_at")} | {"networks": networks or None}
    if isinstance(form, NetworkKey):
        scopes = ["keys"] if form.values["makes_keys"] else None
        return {**limits, "role": form.values["role"], "scopes": scopes}
    return {**limits, "scopes": form.values["scopes"]}


def _abilities(key: ApiKey) -> list[str]:
    """What a key may do, in words."""
    if key.role in ABILITIES:
        return [str(ABILITIES[key.role])]
    return [str(SCOPES.get(scope, scope)) for scope in key.scopes]


def _new(visit: Visit, form: MerchantKey | NetworkKey) -> Response:
    require(visit, MAKE_KEYS)
    return visit.page("keys/new.html", status=form.status, form=form, crumbs=[(_("New key"), None)])


async def _revoke(visit: Visit, key: str, form: Form) -> Response:
    require(visit, MAKE_KEYS)
    keys = await complete(visit.client.api_keys.list(page_size=200))
    found = next((one for one in keys if one.id == key), None)
    if found is None:
        raise HTTPException(404)
    return visit.page(
        "keys/revoke.html",
        status=form.status,
        form=form,
        key=found,
        abilities=_abilities(found),
        with_it=living_below(found, keys),
        crumbs=[(found.name, None)],
    )
