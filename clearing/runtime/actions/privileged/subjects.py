"""What a command's arguments stand for: merchants, programs and agreements by id, number or name; addresses; moments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import NamedTuple

from sqlalchemy.orm import Session

from clearing.kit.config import variable
from clearing.kit.errors import InvalidRequest
from clearing.parties.agreements.repository import AgreementFilter, AgreementRepository
from clearing.parties.merchants.models import Merchant
from clearing.parties.merchants.repository import MerchantRepository
from clearing.parties.merchants.service import checked_address
from clearing.parties.programs.models import Program
from clearing.parties.programs.repository import ProgramRepository
from clearing.runtime.actions.privileged.site import Site
from clearing.runtime.preflight.refusal import CannotRun

_MOST = 10_000
"""Names among which a similar one is looked for."""


class Subject(NamedTuple):
    """Something with a number on the chain, an id in the database, and how a person calls it."""

    number: int
    id: str
    label: str


def merchant_named(site: Site, text: str) -> Subject:
    """The merchant with this id, number or name."""
    if site.database is None:
        return _by_number_only(site, "merchant", text)
    with site.database.reading() as session:
        found = _merchants(session, text)
        if len(found) == 1:
            (merchant,) = found
            return Subject(
                merchant.number, merchant.id, _label("merchant", merchant.name, merchant.id, merchant.number)
            )
        if found:
            ids = ", ".join(merchant.id for merchant in found)
            raise CannotRun(f"MERCHANT: {len(found)} merchants are called {text}: {ids}; name one by its id")
        everybody = MerchantRepository(session).list(after=None, limit=_MOST)
        known = {name: f"{one.name} ({one.id})" for one in everybody for name in (one.name, one.id)}
        raise CannotRun(f"MERCHANT: there is no merchant {text}{_suggestion(text, known)}")


def _merchants(session: Session, text: str) -> Sequence[Merchant]:
    merchants = MerchantRepository(session)
    one = merchants.by_number(int(text)) if _is_number(text) else merchants.by_id(text)
    return [one] if one is not None else merchants.named(text)


def program_named(site: Site, text: str) -> Subject:
    """The program with this code, id or number."""
    if site.database is None:
        return _by_number_only(site, "program", text)
    with site.database.reading() as session:
        programs = ProgramRepository(session)
        found = programs.by_number(int(text)) if _is_number(text) else programs.by_code_or_id(text)
        if found is None:
            known = {name: one.code for one in programs.list(after=None, limit=_MOST) for name in (one.code, one.id)}
            raise CannotRun(f"PROGRAM: there is no program {text}{_suggestion(text, known)}")
        return _of_program(found)


def _of_program(program: Program) -> Subject:
    return Subject(program.number, program.id, _label("program", program.code, program.id, program.number))


def agreement_named(site: Site, text: str) -> Subject:
    """The agreement with this id or number."""
    if site.database is None:
        return _by_number_only(site, "agreement", text)
    with site.database.reading() as session:
        agreements = AgreementRepository(session)
        found = agreements.by_number(int(text)) if _is_number(text) else agreements.by_id(text)
        if found is None:
            everything = AgreementFilter(at=0)
            known = {one.id: one.id for one in agreements.list(everything, after=None, limit=_MOST)}
            raise CannotRun(f"AGREEMENT: there is no agreement {text}{_suggestion(text, known)}")
        if found.number is None:
            raise CannotRun(
                f"AGREEMENT: {text} is {found.state}: it is not on the chain, so there is nothing to end there"
            )
        return Subject(found.number, found.id, f"agreement {found.id} (number {found.number})")


def _by_number_only(site: Site, kind: str, text: str) -> Subject:
    if not _is_number(text):
        raise CannotRun(
            f"{kind.upper()}: only the database knows what {text} is, and there is none here; give its number on the chain\n"
            f"{site.absence}"
        )
    return Subject(int(text), text, f"{kind} {text}")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10


def _label(kind: str, name: str, id: str, number: int) -> str:  # noqa: A002
    return f"{kind} {name} ({id}, number {number})"


def _suggestion(text: str, known: dict[str, str]) -> str:
    lower = {name.lower(): shown for name, shown in known.items()}
    near = get_close_matches(text.lower(), lower, n=1)
    return f"; did you mean {lower[near[0]]}?" if near else ""


def address_of(argument: str, text: str) -> str:
    """An address in lower case; `argument` is how the command calls it. In mixed case its checksum must be right."""
    try:
        return checked_address(text, argument)
    except InvalidRequest as error:
        raise CannotRun(f"{argument}: {text} {error.detail}") from None


def moment_of(option: str, text: str) -> int:
    """A moment in Unix seconds, from ISO 8601 with a time zone or from Unix seconds."""
    if text.isascii() and text.isdecimal():
        return int(text)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise CannotRun(f"{option}: {text} is no moment, such as 2026-11-26T18:00:00+08:00") from None
    if found.tzinfo is None:
        raise CannotRun(f"{option}: {text} has no time zone; add +08:00, or Z for UTC")
    return int(found.timestamp())


def unknown_on_chain(site: Site, subject: Subject, kind: str) -> CannotRun:
    """The refusal of what the contract does not have (yet)."""
    return CannotRun(
        f"{kind.upper()}: the contract {site.settings.contract} has no {kind} {subject.number} ({variable('contract')}); "
        "is its registration still on its way? `clearing queue` shows what waits"
    )
