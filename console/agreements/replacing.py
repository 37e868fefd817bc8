"""A new version of an agreement: the form begins with the old terms, and the differences are shown."""

from __future__ import annotations

from fastapi.responses import Response

from console.agreements.forms import ReplaceAcceptance, ReplaceExchange, terms_of
from console.agreements.view import SIDES, Shown, names_in, shown
from console.problems import refusals
from console.rights import AGREE, require
from console.visit import Visit, Visiting
from pages.forms import Form
from pages.translations import gettext as _
from tongdui import Agreement


async def new_version(visit: Visiting, agreement: str) -> Response:
    """The old terms, to be changed."""
    old = await _old(visit, agreement)
    network = await visit.network()
    return _page(visit, old, _form_of(old.agreement)(terms_of(old.agreement, network.minimum_fee_bps)))


async def supersede(visit: Visiting, agreement: str) -> Response:
    """Proposes the new version."""
    old = await _old(visit, agreement)
    network = await visit.network()
    form = await _form_of(old.agreement).read(visit.request, terms_of(old.agreement, network.minimum_fee_bps))
    if form.is_valid:
        with refusals(form):
            made = await visit.client.agreements.supersede(
                agreement, grace_seconds=form.values["grace_minutes"] * 60, **form.terms(), idempotency_key=form.key
            )
        if form.is_valid:
            told = _("The new version is proposed. The old one stays in force until both have signed.")
            return visit.redirect(f"/agreements/{made.id}", told)
    return _page(visit, old, form)


async def _old(visit: Visit, name: str) -> Shown:
    require(visit, AGREE)
    agreement = await visit.client.agreements.get(name, expand=SIDES)
    return shown(visit, agreement, names_in([agreement]))


def _form_of(agreement: Agreement) -> type[ReplaceExchange | ReplaceAcceptance]:
    return ReplaceExchange if agreement.kind == "exchange" else ReplaceAcceptance


def _page(visit: Visit, old: Shown, form: Form) -> Response:
    return visit.page(
        "agreements/supersede.html",
        form=form,
        one=old,
        kind=old.agreement.kind,
        status=form.status,
        crumbs=[(old.title, f"/agreements/{old.agreement.id}"), (_("New version"), None)],
    )
