"""Programs as the API shows them."""

from __future__ import annotations

from clearing.parties.programs.models import Program
from clearing.parties.programs.service import require_program
from gateway.api.programs.schemas import ProgramView
from gateway.http.context import Call, ChainResource, Shown


def program_view(call: Call, program: Program) -> ProgramView:
    """A program."""
    today = call.gateway.network.day_at(call.clock.unix())
    following = program.next_cap_day if program.next_cap_day is not None and program.next_cap_day > today else None
    return ProgramView(
        id=program.id,
        number=program.number,
        merchant=call.names.merchant(program.merchant_number),
        code=program.code,
        name=program.name,
        status=program.status,
        default_lifetime_days=program.default_lifetime_days,
        issuance_cap=program.cap_on(today) or None,
        next_issuance_cap=(program.next_issuance_cap or None) if following else None,
        next_issuance_cap_from=call.gateway.network.date_of(following) if following else None,
        created_at=program.created_at,
    )


def _show(call: Call, program_id: str) -> Shown[ProgramView]:
    program = require_program(call.session, program_id)
    return Shown(program_view(call, program), is_open=call.is_unfinished(program_id))


PROGRAMS = ChainResource("prg", "programs", _show)
