"""Member codes as the API shows them."""

from __future__ import annotations

from collections.abc import Callable

from clearing.parties.codes.models import MemberCode
from clearing.parties.codes.service import qr_payload
from gateway.api.codes.schemas import MemberCodeView
from gateway.http.context import Call
from gateway.http.qr import qr_svg


def code_view(call: Call, code: MemberCode, text: str | None = None) -> MemberCodeView:
    """A code in its state of this moment, with its text and QR code if it was just made."""
    payload = qr_payload(text) if text is not None else None
    return MemberCodeView(
        id=code.id,
        member=code.member_id,
        state=code.state_at(call.clock.now()),
        code=text,
        qr=payload,
        qr_svg=qr_svg(payload) if payload is not None else None,
        points=code.points,
        program=_named(code.program, call.names.program),
        merchant=_named(code.presenter, call.names.merchant),
        used_by=_named(code.used_by, call.names.merchant),
        used_points=code.used_points,
        used_for=code.used_for,
        used_at=code.used_at,
        expires_at=code.expires_at,
        created_at=code.created_at,
    )


def _named(number: int | None, name: Callable[[int], str]) -> str | None:
    return None if number is None else name(number)
