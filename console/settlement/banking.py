"""The bank's file: handed in, matched with what is booked, and what somebody chooses of it booked, each line once.

The console keeps nothing between these steps: the lines travel in the form. Whatever stops half-way, the same file can be handed in
again: a reference of the bank can be booked once, so what is there is recognised.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request

from console.amounts import sums_in_words
from console.merchants import all_merchants, all_programs, merchant_names
from console.outcomes import AT_ONCE, Outcome, outcome_of
from console.rights import BOOK, require
from console.settlement.forms import COLUMNS, Upload, usual_columns
from console.settlement.matching import (
    REQUESTED,
    Booked,
    Match,
    Party,
    Standing,
    by_reference,
    days_of,
    match,
    missing_from,
)
from console.settlement.standings import PROBLEMS, STANDING_TONES, STANDINGS, place_in_words, refusal_of
from console.settlement.view import KINDS, Kind
from console.visit import Visit, Visiting
from pages.filters import start_of
from pages.formats import listed
from pages.forms import MAX_SAFE, Form
from pages.presentation import presentation
from pages.translations import gettext as _
from tongdui import AsyncClient, BankMovement
from tongdui.bank import BankFile, BankFileError, BankLine, Columns, is_statement, read_file

NEAR = timedelta(days=7)
"""How far from the file's days a booking may be and still explain a line."""
_MOST_LINES = 10_000
_REFERENCES_AT_ONCE = 100
_SHOWN = 400
"""Lines of one page: each has up to two fields, and a form at most a thousand."""


class ChosenLine(BaseModel):
    """A line that somebody has chosen to book."""

    model_config = ConfigDict(extra="forbid", strict=True)

    kind: Kind
    merchant: str = Field(min_length=1, max_length=64)
    micros: int = Field(ge=1, le=MAX_SAFE)
    reference: str = Field(min_length=1, max_length=140)


_LINES = TypeAdapter(list[ChosenLine])


def kind_of(movements: str) -> Kind:
    """What a part of an address names. Answers 404 for anything else."""
    if movements not in KINDS:
        raise HTTPException(404)
    return KINDS[movements]


def title_of(movements: str) -> str:
    """The heading of a list."""
    return _("Deposits") if movements == "deposits" else _("Withdrawals")


def resource_of(client: AsyncClient, kind: Kind) -> Any:
    """The SDK's deposits or withdrawals."""
    return client.deposits if kind == "deposit" else client.withdrawals


# -------------------------------------------------------------------- the steps


async def ask(visit: Visiting) -> Response:
    """Asks for the file."""
    require(visit, BOOK)
    return _ask(visit, Upload(usual_columns()))


async def upload(visit: Visiting) -> Response:
    """Reads the file, and shows each line beside what is booked."""
    require(visit, BOOK)
    form = await Upload.read(visit.request, usual_columns())
    if not form.is_valid:
        return _ask(visit, form)
    content = await form.values["file"].read()
    if not is_statement(content) and not form.check_columns():
        return _ask(visit, form)
    network = await visit.network()
    named = {name: str(form.values[name]) for name in COLUMNS if form.values.get(name)}
    columns = Columns(**named) if {"day", "reference"} <= named.keys() else _NONE
    try:
        file = read_file(content, columns, network.currency, most_lines=_MOST_LINES)
    except BankFileError as error:
        form.refuse("file", refusal_of(error))
        return _ask(visit, form)
    file = _within(file, form.values.get("first_day"), form.values.get("last_day"))
    if not file.lines:
        form.refuse("file", _("The file has no line on these days."))
        return _ask(visit, form)
    return await _proposals(visit, file, form)


async def review(visit: Visiting) -> Response:
    """Shows the chosen lines once more, with their sum in words."""
    require(visit, BOOK)
    sent = await visit.request.form()
    lines = await _sent_lines(visit.request)
    names = await merchant_names(visit)
    wanted = {str(one) for one in sent.getlist("chosen")}
    chosen, nobodys = [], []
    for number, line in enumerate(lines):
        if str(number) in wanted:
            merchant = str(sent.get(f"merchant-{number}") or line.merchant)
            if merchant in names:
                chosen.append(line.model_copy(update={"merchant": merchant}))
            else:
                nobodys.append(line.reference)
    if not chosen:
        return visit.redirect(
            "/settlement/bank-file", _("No line with a merchant was chosen; nothing was booked."), tone="warn"
        )
    return _review(visit, Form(), chosen, names, nobodys)


async def book(visit: Visiting) -> Response:
    """Asks to book the lines, each once, and says what became of each. What came in comes before what went out."""
    require(visit, BOOK)
    form = await Form.read(visit.request)
    lines = await _sent_lines(visit.request)
    names = await merchant_names(visit)
    gate = asyncio.Semaphore(AT_ONCE)
    found: dict[int, Outcome[ChosenLine]] = {}
    for kind in KINDS.values():
        some = {number: line for number, line in enumerate(lines) if line.kind == kind}
        booking = (book_line(visit.client, line, form.key, gate) for line in some.values())
        found |= zip(some, await asyncio.gather(*booking), strict=True)
    outcomes = [found[number] for number in sorted(found)]
    return visit.page(
        "settlement/bank_file_done.html",
        outcomes=outcomes,
        names=names,
        form=form,
        open_lines=_json([one.about for one in outcomes if one.is_open]),
        open_count=sum(one.is_open for one in outcomes),
        booked=sum(one.id is not None for one in outcomes),
        crumbs=[(_("Bank file"), "/settlement/bank-file"), (_("Booked"), None)],
    )


_UNKNOWN = "?"
_NONE = Columns(day="", reference="")


async def book_line(client: AsyncClient, line: ChosenLine, key: str, gate: asyncio.Semaphore) -> Outcome[ChosenLine]:
    """Asks to book one line. Its key follows from the form's and from the reference, so sent again it is the same request."""
    mark = hashlib.sha256(f"{line.kind} {line.reference}".encode()).hexdigest()[:32]
    asked = resource_of(client, line.kind).create(
        merchant=line.merchant,
        micros=line.micros,
        bank_reference=line.reference,
        reason=_("It is in the bank's file."),
        idempotency_key=f"{key}:{mark}",
    )
    return await outcome_of(line, asked, gate)


# -------------------------------------------------------------------- what is booked


async def _proposals(visit: Visit, file: BankFile, form: Upload) -> Response:
    days = days_of(file.lines)
    assert days is not None, "there is a line"
    first, last = form.values.get("first_day") or days[0], form.values.get("last_day") or days[1]
    booked, near, parties = await asyncio.gather(
        _by_reference(visit.client, file.lines), _near(visit.client, first - NEAR, last + NEAR), _parties(visit)
    )
    matches = match(file.lines, booked, near, parties)
    shown, hidden = first_of(matches)
    bookable = [one for one in shown if one.is_bookable]
    numbers = itertools.count()
    return visit.page(
        "settlement/bank_file_lines.html",
        file=file,
        matches=[(one, next(numbers) if one.is_bookable else None) for one in shown],
        hidden=sum(not one.is_bookable for one in hidden),
        hidden_bookable=sum(one.is_bookable for one in hidden),
        all_lines=len(matches),
        lines=_json([_line_of(one) for one in bookable]),
        bookable=sum(one.is_bookable for one in matches),
        left=[one for one in matches if one.standing not in ("booked", "duplicate")],
        missing=missing_from(matches, near, first, last),
        first=first,
        last=last,
        names={one.id: one.name for one in parties},
        standings=STANDINGS,
        tones=STANDING_TONES,
        problems=PROBLEMS,
        place_in_words=place_in_words,
        crumbs=[(_("Bank file"), "/settlement/bank-file"), (_("Lines"), None)],
    )


def first_of(matches: Sequence[Match]) -> tuple[list[Match], list[Match]]:
    """As many lines as a page and a form can hold, and those that are left out: what is booked, or cannot be, gives way."""
    if len(matches) <= _SHOWN:
        return list(matches), []
    by_use = sorted(matches, key=_use)
    return by_use[:_SHOWN], by_use[_SHOWN:]


def _use(one: Match) -> int:
    """How little there is to do about a line."""
    if one.is_proposed:
        return 0
    if one.is_bookable:
        return 1
    return 4 if one.is_done else 2 if one.standing == Standing.DIFFERS else 3


def _line_of(one: Match) -> ChosenLine:
    line = one.line
    return ChosenLine(kind=line.kind, merchant=one.merchant or _UNKNOWN, micros=line.micros, reference=line.reference)


async def _by_reference(client: AsyncClient, lines: Sequence[BankLine]) -> dict[str, Booked]:
    """What is booked under any reference of these lines."""
    references = list(dict.fromkeys(one for line in lines for one in line.references))
    gate = asyncio.Semaphore(AT_ONCE)

    async def ask(kind: Kind, some: list[str]) -> list[Booked]:
        async with gate:
            listing = resource_of(client, kind).list(bank_references=some, page_size=200)
            return [_booked(kind, one) async for one in listing]

    parts = [references[at : at + _REFERENCES_AT_ONCE] for at in range(0, len(references), _REFERENCES_AT_ONCE)]
    answers = await asyncio.gather(*(ask(kind, some) for some in parts for kind in KINDS.values()))
    asked = await _asked(client)
    return by_reference([*asked, *(one for answer in answers for one in answer)])


async def _asked(client: AsyncClient) -> list[Booked]:
    """What somebody has asked to book, and nobody has decided."""
    return [
        Booked(
            one.id,
            kind,
            str(one.merchant),
            int(one.change["micros"]),
            str(one.change["bank_reference"]),
            REQUESTED,
            one.created_at.astimezone(presentation().zone).date(),
        )
        for kind in KINDS.values()
        async for one in client.approvals.list(state=REQUESTED, kind=kind, page_size=200)
    ]


async def _near(client: AsyncClient, first: date, last: date) -> list[Booked]:
    """What was booked on these days."""
    days = {"created_from": start_of(first), "created_before": start_of(last + timedelta(days=1)), "page_size": 200}
    return [_booked(kind, one) for kind in KINDS.values() async for one in resource_of(client, kind).list(**days)]


def _booked(kind: Kind, one: BankMovement) -> Booked:
    assert one.created_at is not None, one.id
    on = one.created_at.astimezone(presentation().zone).date()
    return Booked(one.id, kind, one.merchant, one.micros, one.bank_reference, one.state, on)


async def _parties(visit: Visit) -> list[Party]:
    merchants, programs = await asyncio.gather(all_merchants(visit), all_programs(visit))
    codes: dict[str, tuple[str, ...]] = {}
    for program in programs:
        codes[program.merchant] = (*codes.get(program.merchant, ()), program.code)
    return [Party(one.id, one.name, codes.get(one.id, ())) for one in merchants]


def _within(file: BankFile, first: date | None, last: date | None) -> BankFile:
    lines = (one for one in file.lines if (first or one.day) <= one.day <= (last or one.day))
    return replace(file, lines=tuple(lines))


# -------------------------------------------------------------------- what travels in the form


def _json(lines: Sequence[ChosenLine]) -> str:
    return _LINES.dump_json(list(lines)).decode()


async def _sent_lines(request: Request) -> list[ChosenLine]:
    sent = await request.form()
    try:
        return _LINES.validate_json(str(sent.get("lines", "")))
    except ValidationError:
        raise HTTPException(400, "lines") from None


def _review(
    visit: Visit, form: Form, chosen: list[ChosenLine], names: dict[str, str], nobodys: Sequence[str]
) -> Response:
    return visit.page(
        "settlement/bank_file_review.html",
        form=form,
        chosen=chosen,
        nobodys=listed(nobodys) if nobodys else "",
        lines=_json(chosen),
        names=names,
        sums=sums_in_words((one.kind, one.micros) for one in chosen),
        crumbs=[(_("Bank file"), "/settlement/bank-file"), (_("Check"), None)],
    )


def _ask(visit: Visit, form: Upload) -> Response:
    return visit.page("settlement/bank_file.html", form=form, status=form.status, crumbs=[(_("Bank file"), None)])
