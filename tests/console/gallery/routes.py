"""The gallery's routes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

from fastapi import APIRouter
from fastapi.responses import Response

from console.problems import refusals
from console.visit import Visiting
from pages.charts import Chart, Edge, Graph, Node, Series, money_series
from pages.csv_files import CsvResponse
from pages.filters import read_filters
from pages.forms import (
    BasisPoints,
    Choice,
    Choices,
    Day,
    Email,
    File,
    Flag,
    Form,
    LongText,
    Moment,
    Money,
    Points,
    Ratio,
    Secret,
    Text,
    Whole,
)
from pages.paging import Pager, pager_of
from pages.translations import lazy

router = APIRouter()
ACTED: list[str] = []
"""The keys with which something was done."""
FETCHED: list[str] = []
"""For each time that the live page was fetched, whether it was for its parts."""


class Everything(Form):
    """A field of each kind."""

    external_id = Text(lazy("Text"), hint="A hint")
    notes = LongText("Long text", required=False)
    secret = Secret("Secret", required=False)
    email = Email("Email", required=False)
    points = Points("Points", pointer="/amounts/points", program="FUEL")
    whole = Whole("Whole", least=1, most=9, required=False)
    price = Money("Money", required=False)
    fee = BasisPoints("Fee", required=False)
    rate = Ratio("Rate", required=False)
    kind = Choice("Choice", options={"a": "One", "b": "Two"})
    way = Choice("Radio", options={"x": "This way", "y": "That way"}, radio=True, required=False)
    scopes = Choices("Choices", options={"issue": "Issue", "read": "Read"}, required=False)
    on = Day("Day", required=False)
    at = Moment("Moment", required=False)
    understood = Flag("I have understood", required=True)


class Upload(Form):
    """A form with a file."""

    statement = File("Bank file", accept=".csv", largest=1_000)


class Registration(Form):
    """A form that the gateway answers."""

    external_id = Text("Number at the till")


@router.get("")
async def gallery(visit: Visiting, name: str | None = None) -> Response:
    """Every component."""
    labels = [f"11-{day:02}" for day in range(1, 31)]
    line = Chart("Position", labels, [money_series("Position", [day * 1_234_567 for day in range(30)], step=True)])
    lines = Chart("Points", labels[:2], [Series("FUEL", [1_000, 300]), Series("MART", [500, 20], dashed=True)])
    nodes = [Node("a", "FUEL"), Node("b", "MART"), Node("c", "CINE", marked=True)]
    graph = Graph(
        "Rates", nodes, [Edge("a", "b", "9/10"), Edge("b", "c", "1/2", marked=True), Edge("c", "a", "2", dashed=True)]
    )
    return visit.page(
        "gallery/gallery.html",
        crumbs=[("Below", "/gallery"), ("Here", None)],
        charts=(line, lines, graph),
        name=name,
        filtered=read_filters(
            {"name": name or "", "state": "settled"}, choices={"state": ("settled",)}, texts={"name": 64}, days=True
        ),
        now=datetime.now(UTC),
        form=Everything({"points": 1_000, "price": 1_230_000, "kind": "b", "scopes": ["read"]}),
        upload=Upload(),
        asked=Form(),
        pager=pager_of(visit.request, "next") if name else Pager("/gallery", None),
    )


@router.post("")
async def send(visit: Visiting) -> Response:
    """Takes the form with everything."""
    form = await Everything.read(visit.request)
    if form.is_valid:
        return visit.redirect("/gallery/form", "Taken")
    return visit.page("gallery/form.html", form=form, action="/gallery", status=form.status)


@router.get("/live")
async def live_page(visit: Visiting) -> Response:
    """Parts of each kind that are fetched anew."""
    FETCHED.append(visit.request.headers.get("x-part", "no"))
    values = [len(FETCHED), 2 * len(FETCHED)]
    chart = Chart("Fetched", ["first", "second"], [Series("Times", values)])
    return visit.page("gallery/live.html", times=len(FETCHED), fetched=chart, form=Registration(), asked=Form())


@router.get("/form")
async def form_page(visit: Visiting) -> Response:
    """A form that the gateway answers."""
    return visit.page("gallery/form.html", form=Registration(), action="/gallery/form")


@router.post("/form")
async def register(visit: Visiting) -> Response:
    """Registers a member."""
    form = await Registration.read(visit.request)
    if form.is_valid:
        with refusals(form):
            member = await visit.client.members.create(**form.values, idempotency_key=form.key)
        if form.is_valid:
            ACTED.append(member.id)
            return visit.redirect("/gallery/form", f"Registered {member.id}")
    return visit.page("gallery/form.html", form=form, action="/gallery/form", status=form.status)


@router.post("/upload")
async def upload(visit: Visiting) -> Response:
    """Takes a file."""
    form = await Upload.read(visit.request)
    if form.is_valid:
        return visit.redirect("/gallery/form", f"{form.values['statement'].filename}")
    return visit.page("gallery/form.html", form=form, action="/gallery/upload", status=form.status)


@router.get("/list.csv")
async def file(visit: Visiting) -> Response:
    """A file."""

    async def rows() -> AsyncIterator[tuple[str, int]]:
        yield ("=1+1", 5)
        yield ("加油积分", 7)

    return await CsvResponse.begun("list.csv", ["name", "points"], rows())


@router.get("/breaking.csv")
async def breaking(visit: Visiting) -> Response:
    """A file that breaks off."""

    async def rows() -> AsyncIterator[tuple[str, int]]:
        for number in range(250):
            yield ("row", number)
        raise RuntimeError("a secret of ours")

    return await CsvResponse.begun("list.csv", ["name", "points"], rows())


@router.get("/broken.csv")
async def broken_at_once(visit: Visiting) -> Response:
    """A file that has no first row."""

    async def rows() -> AsyncIterator[tuple[str, int]]:
        raise RuntimeError("a secret of ours")
        yield

    return await CsvResponse.begun("list.csv", ["name", "points"], rows())


@router.get("/broken")
async def broken(visit: Visiting) -> Response:
    """Fails."""
    raise RuntimeError("a secret of ours")
