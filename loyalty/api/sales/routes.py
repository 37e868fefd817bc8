"""Sales and returns: tills and devices send them, once or five times; each counts once."""

from __future__ import annotations

from loyalty.api.fields import Decision
from loyalty.api.sales.bulk import SalesBody, SalesView, outcome_view
from loyalty.api.sales.schemas import Recognition, ReturnBody, ReturnView, SaleBody, SaleDetailView, SaleView
from loyalty.awards.service import AwardService
from loyalty.devices.service import DeviceService
from loyalty.http.routes import Call, Calling, Cursor, Limit, api
from loyalty.intake.documents import SentSale
from loyalty.intake.service import IntakeService
from loyalty.kit.paging import Page, shown
from loyalty.network.wishes import WishService
from loyalty.sales.models import Outcome, RecordedSale

router = api("sales")


@router.get("/v1/sales")
def list_sales(
    call: Calling,
    customer: str | None = None,
    outcome: Outcome | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[SaleView]:
    """Sales, those that came last first. `outcome=uncovered` lists those that no rule set covers."""
    found = IntakeService(call.session).page(customer=customer, outcome=outcome, cursor=cursor, limit=limit)
    return shown(found, SaleView.of)


@router.get("/v1/sales/{sale}")
def get_sale(call: Calling, sale: str) -> SaleDetailView:
    """One sale: its lines, what it earned and why, and what came back of it."""
    return _whole(call, IntakeService(call.session).sale(sale))


@router.post("/v1/sales", status_code=201)
def take_sale(call: Calling, sale: SaleBody) -> SaleDetailView:
    """Book a sale and what it earns. The same sale again gets the same answer, whatever key it has."""
    DeviceService(call.session).check_sender(call.actor, sale.station)
    return _whole(call, IntakeService(call.session).take_sale(sale.sent()))


@router.post("/v1/sales/bulk")
def take_sales(call: Calling, body: SalesBody) -> SalesView:
    """Book up to 500 sales, in their order. Each has its own outcome, in the same order: what was booked, or why it was refused. A
    refusal touches no other sale."""
    read = body.read(DeviceService(call.session).sender_check(call.actor))
    taken = iter(IntakeService(call.session).take_all([one for one in read if isinstance(one, SentSale)]))
    outcomes = [next(taken) if isinstance(one, SentSale) else one for one in read]
    sales = [one.id for one in outcomes if isinstance(one, RecordedSale)]
    points: dict[str, int] = {}
    for award in AwardService(call.session).of_sales(sales):
        points[award.sale_id] = points.get(award.sale_id, 0) + award.points
    return SalesView(sales=[outcome_view(at, one, points) for at, one in enumerate(outcomes)])


@router.post("/v1/sales/{sale}/recognise")
def recognise_sale(call: Calling, sale: str, recognition: Recognition) -> SaleDetailView:
    """Give a customer a sale of nobody, such as when the receipt is handed in later. It earns now, by the rules of its day."""
    intake = IntakeService(call.session)
    return _whole(call, intake.recognise(sale, recognition.customer, actor=call.actor, reason=recognition.reason))


@router.post("/v1/sales/{sale}/evaluate")
def evaluate_sale(call: Calling, sale: str, decision: Decision) -> SaleDetailView:
    """Evaluate a sale again that no rule set covered, when one does by now."""
    return _whole(call, IntakeService(call.session).evaluate_again(sale, actor=call.actor, reason=decision.reason))


@router.get("/v1/returns")
def list_open_returns(call: Calling, cursor: Cursor = None, limit: Limit = 50) -> Page[ReturnView]:
    """Returns that are not booked: their sale is not here, or they have a problem."""
    return shown(IntakeService(call.session).open_returns(cursor=cursor, limit=limit), ReturnView.of)


@router.post("/v1/returns", status_code=201)
def take_return(call: Calling, returned: ReturnBody) -> ReturnView:
    """Book a return. It takes back what its sale earned, pro rata; it waits if the sale is not here yet."""
    DeviceService(call.session).check_sender(call.actor, returned.station)
    return ReturnView.of(IntakeService(call.session).take_return(returned.sent()))


def _whole(call: Call, sale: RecordedSale) -> SaleDetailView:
    awards = AwardService(call.session)
    earned = awards.of_sale(sale.id)
    paid = WishService(call.session).set_off_by(one.reference for one in earned if one.reference is not None)
    returns = IntakeService(call.session).returns_of(sale)
    return SaleDetailView.whole(sale, earned, awards.take_backs_of(sale.id), returns, paid)
