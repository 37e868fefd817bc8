"""Proposing an agreement, with a calculator that says what the terms mean while they are typed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from fastapi.responses import Response

from console.agreements.forms import (
    IMAGINED_POINTS,
    NewAcceptance,
    NewExchange,
    ReplaceAcceptance,
    ReplaceExchange,
    defaults,
    options_of,
)
from console.agreements.view import cycle_graph, cycle_sentence, differences, now, sentences_of_preview
from console.merchants import all_merchants, all_programs, merchant_names
from console.problems import refusals
from console.rights import AGREE, require
from console.visit import Visit, Visiting
from pages.forms import Form
from pages.translations import gettext as _
from tongdui import Agreement

_KINDS: dict[str, type[NewExchange | NewAcceptance]] = {"exchange": NewExchange, "acceptance": NewAcceptance}
_PREVIEWED = ("unit_price_micros", "rate", "fee_bps", "lifetime_days", "keep_expiry")
"""Terms on which the calculator's answer depends."""


async def new(visit: Visiting, kind: str = "exchange") -> Response:
    """An empty proposal."""
    form_class = _KINDS.get(kind, NewExchange)
    choices, own = await _choices(visit, form_class)
    network = await visit.network()
    initial = defaults(network.minimum_fee_bps, now(), own)
    initial["source_program"] = next((code for code, _label in choices["source_program"] if code in own), None)
    return _page(visit, form_class(initial, options=choices))


async def propose(visit: Visiting, kind: str = "exchange") -> Response:
    """Hands the terms in, with one's own signature if the gateway keeps the key."""
    form_class = _KINDS.get(kind, NewExchange)
    choices, own = await _choices(visit, form_class)
    network = await visit.network()
    form = await form_class.read(visit.request, defaults(network.minimum_fee_bps, now(), own), options=choices)
    if form.is_valid:
        with refusals(form):
            terms: dict[str, Any] = {**form.sides(), **form.terms()}
            made = await visit.client.agreements.propose(**terms, idempotency_key=form.key)
        if form.is_valid:
            return visit.redirect(f"/agreements/{made.id}", _("The terms are proposed. The other side sees them now."))
    return _page(visit, form)


async def preview(visit: Visiting, kind: str = "exchange", supersedes: str | None = None) -> Response:
    """What the terms would mean as they stand in the form now."""
    old = await visit.client.agreements.get(supersedes) if supersedes else None
    form = await _typed(visit, kind, old)
    terms = {name: form.values[name] for name in _PREVIEWED if form.values.get(name) is not None}
    sides = _sides(form, old)
    needed = {"unit_price_micros", *(("rate",) if "rate" in form.fields else ())}
    context: dict[str, Any] = {
        "changes": differences(old, form.values) if old else None,
        "said": None,
        "wrong": None,
        "original": None,
    }
    if sides is not None and old is None and not set(sides.values()) & set(form.initial["own"]):
        context["wrong"] = [_("One of the two sides must be yours.")]
    elif sides is not None and needed <= terms.keys() and "points" not in form.errors:
        context |= await _asked(visit, sides, terms, form.values.get("points") or IMAGINED_POINTS, old)
    return visit.page("agreements/calculator.html", **context)


async def _typed(visit: Visit, kind: str, old: Agreement | None) -> Form:
    form_class: type[Form]
    if old is not None:
        form_class = ReplaceExchange if old.kind == "exchange" else ReplaceAcceptance
        return await form_class.read(visit.request)
    form_class = _KINDS.get(kind, NewExchange)
    choices, own = await _choices(visit, form_class)
    return await form_class.read(visit.request, {"own": own}, options=choices)


def _sides(form: Form, old: Agreement | None) -> dict[str, str] | None:
    """Between whom, as far as it is chosen."""
    if old is not None:
        target = (
            {"target_program": old.target_program} if old.target_program else {"target_merchant": old.target_merchant}
        )
        return {"source_program": old.source_program, **target}
    names = [name for name in ("source_program", "target_program", "target_merchant") if name in form.fields]
    found = {name: form.values.get(name) for name in names}
    return {name: str(value) for name, value in found.items()} if all(found.values()) else None


async def _asked(
    visit: Visit, sides: Mapping[str, str], terms: Mapping[str, Any], points: int, old: Agreement | None
) -> dict[str, Any]:
    """The gateway's answer, in words and drawn."""
    form = Form()
    found: dict[str, Any] = {"wrong": form.general}
    with refusals(form):
        asked: dict[str, Any] = {**sides, **terms, "points": points, "supersedes": old}
        seen = await visit.client.agreements.preview(**asked)
        names = await merchant_names(visit)
        found = {"said": sentences_of_preview(seen, visit.merchant, names), "preview": seen, "cycle": None}
        if seen.cycle is not None:
            rates = await visit.client.agreements.rates()
            label = str(terms["rate"]) if "rate" in terms else ""
            new = (seen.source_program, seen.target_program or "", label)
            found["cycle"] = (cycle_sentence(seen.cycle), cycle_graph(seen.cycle, rates, new), seen.cycle.is_allowed)
    return {**found, "original": form.original}


async def _choices(visit: Visit, form_class: type[Form]) -> tuple[Mapping[str, Any], set[str]]:
    """What the form offers, and what of it makes a side the person's own."""
    require(visit, AGREE)
    programs, merchants = await asyncio.gather(all_programs(visit), all_merchants(visit))
    own = {visit.merchant, *(one.code for one in programs if one.merchant == visit.merchant)}
    return options_of(form_class, programs, merchants, visit.merchant), own


def _page(visit: Visit, form: Form) -> Response:
    kind = "exchange" if isinstance(form, NewExchange) else "acceptance"
    return visit.page(
        "agreements/propose.html", form=form, kind=kind, status=form.status, crumbs=[(_("New agreement"), None)]
    )
