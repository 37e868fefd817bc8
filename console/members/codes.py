"""One-time codes of a member, shown large: to register it at another merchant's, and to draw on its points there."""

from __future__ import annotations

import io
from datetime import datetime

import segno
from fastapi import APIRouter
from fastapi.responses import Response
from markupsafe import Markup

from console.by_hand import own_programs, program_options
from console.members.forms import NewMemberCode
from console.naming import member_address, shown_name
from console.problems import refusals
from console.rights import NUMBER_MEMBERS, require
from console.visit import Visit, Visiting
from pages.clock import seconds_until
from pages.forms import Form
from pages.translations import gettext as _
from tongdui import Member

router = APIRouter()


@router.post("/{member}/link-code")
async def link_code(visit: Visiting, member: str) -> Response:
    """Makes a code with which another merchant registers the same member. Sent again, it shows the same code."""
    form = await Form.read(visit.request)
    found = await visit.client.members.get(member)
    code = await visit.client.members.create_link_code(member, idempotency_key=form.key)
    return _shown(visit, found, "link", code.code, code.expires_at, _qr(code.code))


@router.get("/{member}/code")
async def ask_code(visit: Visiting, member: str) -> Response:
    """Asks what the member lets another merchant take."""
    return await _ask(visit, member, NewMemberCode(options=await _programs(visit)))


@router.post("/{member}/code")
async def code(visit: Visiting, member: str) -> Response:
    """Makes a code with which another merchant draws on the member's points."""
    form = await NewMemberCode.read(visit.request, options=await _programs(visit))
    if form.is_valid:
        found = await visit.client.members.get(member)
        with refusals(form):
            made = await visit.client.members.create_code(
                member, points=form.values["points"], program=form.values["program"], idempotency_key=form.key
            )
        if form.is_valid:
            if made.code is None or made.qr is None:
                told = _("The code was shown already: make a new one.")
                return visit.redirect(member_address(member), told, tone="warn")
            return _shown(visit, found, "member", made.code, made.expires_at, _qr(made.qr), made.points, made.program)
    return await _ask(visit, member, form)


async def _programs(visit: Visit) -> dict[str, dict[str, str]]:
    require(visit, NUMBER_MEMBERS)
    return program_options(await own_programs(visit))


async def _ask(visit: Visit, reference: str, form: Form) -> Response:
    member = await visit.client.members.get(reference)
    crumbs = [(shown_name(member), member_address(member.id)), (_("Member code"), None)]
    return visit.page("members/ask_code.html", form=form, member=member, status=form.status, crumbs=crumbs)


def _shown(
    visit: Visit,
    member: Member,
    kind: str,
    text: str,
    expires_at: datetime,
    picture: Markup,
    points: int | None = None,
    program: str | None = None,
) -> Response:
    name = shown_name(member)
    response = visit.page(
        "members/code.html",
        kind=kind,
        member=member,
        name=name,
        code=text,
        qr=picture,
        expires_at=expires_at,
        seconds=seconds_until(expires_at),
        points=points,
        program=program,
        crumbs=[(name, member_address(member.id)), (_("Link code") if kind == "link" else _("Member code"), None)],
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _qr(text: str) -> Markup:
    """The QR code as an image within the page; dark on light also where the page is dark, as scanners want it."""
    image = io.BytesIO()
    code = segno.make_qr(text, error="m")
    code.save(image, kind="svg", xmldecl=False, svgns=False, nl=False, omitsize=True, dark="#000", light="#fff")
    return Markup(image.getvalue().decode())  # noqa: S704 (made of rectangles only)
