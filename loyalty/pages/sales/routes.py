"""Sales by outcome, one sale with what it earned and what mends it, returns that wait, and corrections."""

from __future__ import annotations

from fastapi.responses import Response

from loyalty.corrections.service import CorrectionService, SentCorrection
from loyalty.customers.service import CustomerService
from loyalty.intake.group import document_of
from loyalty.intake.service import IntakeService
from loyalty.kit.errors import Contradiction
from loyalty.pages.names import OUTCOMES
from loyalty.pages.sales.forms import Again, Whose, correction_of
from loyalty.pages.search import find_or_refuse
from loyalty.pages.visit import Visit, Visiting, page_router
from loyalty.people.actors import actor_names
from loyalty.sales.models import Outcome, RecordedSale
from loyalty.web.story import explorer_of, stories_of
from pages.filters import read_filters
from pages.forms import Form
from pages.paging import cursor_of, pager_of
from pages.translations import gettext as _

router = page_router("/sales")
_ROWS = 50
_LONGEST_ID = 40


@router.get("")
def sales(visit: Visiting) -> Response:
    """Sales, those that came last first."""
    choices = {outcome.value: outcome for outcome in Outcome}
    filters = read_filters(visit.request.query_params, choices={"outcome": choices}, texts={"customer": _LONGEST_ID})
    asked = filters.asked
    rows, following = IntakeService(visit.session).page(
        customer=asked.get("customer"),
        outcome=choices.get(asked.get("outcome", "")),
        cursor=cursor_of(visit.request),
        limit=_ROWS,
    )
    return visit.page(
        "sales/list.html",
        status=filters.status,
        rows=() if filters.mistakes else rows,
        filters=filters,
        outcomes=[(outcome.value, name) for outcome, (name, _tone) in OUTCOMES.items()],
        pager=pager_of(visit.request, following),
    )


@router.get("/returns")
def returns(visit: Visiting) -> Response:
    """Returns that are not booked."""
    rows, following = IntakeService(visit.session).open_returns(cursor=cursor_of(visit.request), limit=_ROWS)
    return visit.page(
        "sales/returns.html",
        rows=rows,
        pager=pager_of(visit.request, following),
        crumbs=[(_("Returns that wait"), None)],
    )


@router.get("/corrections")
def corrections(visit: Visiting) -> Response:
    """Corrections, newest first."""
    rows, following = CorrectionService(visit.session).page(cursor=cursor_of(visit.request), limit=_ROWS)
    return visit.page(
        "sales/corrections.html",
        rows=rows,
        names=actor_names(visit.session, [row.actor for row in rows]),
        pager=pager_of(visit.request, following),
        crumbs=[(_("Corrections"), None)],
    )


@router.get("/{sale}")
def one(visit: Visiting, sale: str) -> Response:
    """One sale: its lines, what it earned and why, and what came back of it."""
    return _one_page(visit, IntakeService(visit.session).sale(sale))


@router.get("/{sale}/correct")
def ask_correction(visit: Visiting, sale: str) -> Response:
    """The right sale, as the wrong one was."""
    wrong = IntakeService(visit.session).sale(sale)
    return _correction_page(visit, wrong, correction_of(wrong))


@router.post("/{sale}/correct")
def correct(visit: Visiting, sale: str) -> Response:
    """Takes the wrong sale back and books the right one."""
    wrong = IntakeService(visit.session).sale(sale)
    form = correction_of(wrong, sent=visit.sent)
    if form.is_valid:
        values = form.values
        with visit.refusals(form):
            customer = (
                find_or_refuse(CustomerService(visit.session), values["kind"], values["value"])
                if values["value"]
                else None
            )
            made = CorrectionService(visit.session).correct(
                SentCorrection(document_of(wrong), form.right(wrong, customer)),
                actor=visit.actor,
                reason=values["reason"],
            )
        if form.is_valid:
            return visit.redirect(f"/sales/{made.right_id}", _("This sale has taken the wrong one's place."))
    return _correction_page(visit, wrong, form)


@router.post("/{sale}/recognise")
def recognise(visit: Visiting, sale: str) -> Response:
    """Gives a customer a sale of nobody."""
    form, intake = Whose(sent=visit.sent), IntakeService(visit.session)
    if form.is_valid:
        values = form.values
        with visit.refusals(form):
            customer = find_or_refuse(CustomerService(visit.session), values["kind"], values["value"])
            intake.recognise(sale, customer, actor=visit.actor, reason=values["reason"])
        if form.is_valid:
            return visit.redirect(f"/sales/{sale}", _("The sale is the customer's now, and has earned what it could."))
    return _one_page(visit, intake.sale(sale), whose=form)


@router.post("/{sale}/evaluate")
def evaluate(visit: Visiting, sale: str) -> Response:
    """Evaluates a sale again that no rule set covered."""
    form, intake = Again(sent=visit.sent), IntakeService(visit.session)
    if form.is_valid:
        with visit.refusals(form):
            row = intake.evaluate_again(sale, actor=visit.actor, reason=form.values["reason"])
            if row.outcome is Outcome.UNCOVERED:
                raise Contradiction("still_uncovered", "no rule set is in force for that day: publish one first")
        if form.is_valid:
            return visit.redirect(f"/sales/{sale}", _("The sale is evaluated, by the rules of its day."))
    return _one_page(visit, intake.sale(sale), again=form)


def _correction_page(visit: Visit, wrong: RecordedSale, form: Form) -> Response:
    return visit.page(
        "sales/correct.html",
        sale=wrong,
        form=form,
        status=form.status,
        crumbs=[(wrong.number, f"/staff/sales/{wrong.id}"), (_("Correct"), None)],
    )


def _one_page(visit: Visit, found: RecordedSale, **sent: Form) -> Response:
    (story,) = stories_of(visit, [found])
    forms = {"whose": Whose(), "again": Again()} | sent
    replaced, right = CorrectionService(visit.session).about(found.id)
    is_right = found.replaced_by is None
    return visit.page(
        "sales/one.html",
        status=max(form.status for form in forms.values()),
        sale=found,
        story=story,
        forms=forms,
        may_correct=is_right and visit.may("POST", "/sales/{sale}/correct"),
        may_recognise=is_right and found.customer_id is None and visit.may("POST", "/sales/{sale}/recognise"),
        may_evaluate=is_right
        and found.customer_id is not None
        and found.outcome is Outcome.UNCOVERED
        and visit.may("POST", "/sales/{sale}/evaluate"),
        corrections=[one for one in (replaced, right) if one is not None],
        names=actor_names(visit.session, [one.actor for one in (replaced, right) if one is not None]),
        returns=IntakeService(visit.session).returns_of(found),
        explorer=explorer_of(visit),
        crumbs=[(found.number, None)],
    )
