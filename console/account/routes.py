"""A person's own account: name and language, password, second factor, and where it is signed in."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from console.account.devices import device_of
from console.account.forms import AboutMe, Proof, ProofForRemoval
from console.listing import complete
from console.problems import refusals
from console.visit import LANGUAGE_COOKIE, Visit, Visiting
from pages.forms import Form
from pages.paging import cursor_of, pager_of
from pages.translations import gettext as _

router = APIRouter()
PATH = "/account"
_ROWS = 20


@router.get("")
async def account(visit: Visiting) -> Response:
    """Everything about oneself."""
    return await _page(visit)


@router.post("")
async def change(visit: Visiting) -> Response:
    """Takes another name or language."""
    form = await AboutMe.read(visit.request)
    if form.is_valid:
        with refusals(form):
            await visit.client.profile.change(name=form.values["name"], language=form.values["language"])
        if form.is_valid:
            visit.parts.sessions.forget(visit.signed_in.token)
            response = visit.redirect(PATH, _("Your account is changed."))
            visit.parts.keep_preference(response, LANGUAGE_COOKIE, form.values["language"])
            return response
    return await _page(visit, about=form)


@router.post("/recovery-codes")
async def renew_codes(visit: Visiting) -> Response:
    """Makes new recovery codes, and shows them once."""
    form = await Proof.read(visit.request)
    if form.is_valid:
        with refusals(form):
            made = await visit.client.profile.renew_recovery_codes(password=form.values["password"])
        if form.is_valid:
            return visit.page("signin/recovery_codes.html", codes=made.recovery_codes, onward=PATH)
    return await _page(visit, renewing=form)


@router.post("/second-factor/remove")
async def remove_second_factor(visit: Visiting) -> Response:
    """Turns the second factor off."""
    form = await ProofForRemoval.read(visit.request)
    if form.is_valid:
        with refusals(form):
            await visit.client.profile.remove_totp(password=form.values["password"])
        if form.is_valid:
            return visit.redirect(PATH, _("The second factor is off: your password alone signs you in."), tone="warn")
    return await _page(visit, removing=form)


@router.post("/sessions/end-others")
async def end_others(visit: Visiting) -> Response:
    """Ends every session but this one. Repeating it does no harm."""
    form = await Form.read(visit.request)
    if form.is_valid:
        with refusals(form):
            for one in await complete(visit.client.sessions.list(page_size=200)):
                if not one.is_current:
                    await visit.client.sessions.revoke(one)
        if form.is_valid:
            return visit.redirect(PATH, _("You are signed in nowhere else."))
    return await _page(visit, ending=form)


@router.post("/sessions/{session}/end")
async def end(visit: Visiting, session: str) -> Response:
    """Ends one session, at once."""
    form = await Form.read(visit.request)
    if form.is_valid:
        with refusals(form):
            await visit.client.sessions.revoke(session)
        if form.is_valid:
            return visit.redirect(PATH, _("The session has ended."))
    return await _page(visit, ending=form)


async def _page(visit: Visit, **forms: Form) -> Response:
    profile, sessions = await asyncio.gather(
        visit.client.profile.get(), visit.client.sessions.list(page_size=_ROWS).page(cursor_of(visit.request))
    )
    asked: dict[str, Any] = {
        "about": AboutMe({"name": profile.name, "language": profile.language}),
        "renewing": Proof(),
        "removing": ProofForRemoval(),
        "ending": Form(),
        **forms,
    }
    return visit.page(
        "account/account.html",
        status=max(form.status for form in asked.values()),
        profile=profile,
        sessions=[(one, device_of(one.user_agent)) for one in sessions.data],
        pager=pager_of(visit.request, sessions.next_cursor),
        **asked,
    )
