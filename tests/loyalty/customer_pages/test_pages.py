"""What customers see: their points, their way, their tasks, why, whom they brought, what they agreed to; and nothing of others."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from loyalty.customer_pages.rules import CUSTOMER_RULES, Who
from loyalty.customers.models import Consent
from loyalty.network.balances import Balances, Expiring, Holding, NetworkAway
from loyalty.network.models import Wish, WishState
from loyalty.network.wishes import refuse
from loyalty.people.sign_in import Limits, SessionService
from loyalty.staff.models import Role
from tests.loyalty.customer_pages.world import CHEN, LI, World, plan, text_of, world_on
from tests.loyalty.intake.shop import done, fuel, goods
from tests.loyalty.people.team import SECRET as STAFF_SECRET
from tests.loyalty.people.team import team_on
from tests.loyalty.referrals.written import plain as referral_scheme
from tests.loyalty.tasks.written import plain as task
from tests.loyalty.tiers.schemes import plain as tier_scheme

LEAF = "0x" + "ab" * 32
pytestmark = pytest.mark.parametrize("programme_url", ["sqlite"], indirect=True)
PATHS = [(method, path.replace("{code}", "X")) for method, path in CUSTOMER_RULES]


def customer_of(world: World, phone: str) -> str:
    return str(world.shop.api.get("/v1/customers/lookup", kind="phone", value=phone).json()["id"])


def today(world: World, **more: int) -> dict[str, str]:
    """When something is sold now."""
    now = world.clock.now() + timedelta(**more)
    return {"business_day": f"{now:%Y-%m-%d}", "time": f"{now:%Y-%m-%dT%H:%M:%S}+00:00"}


# -------------------------------------------------------------------- who may see what


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_a_stranger_opens_what_is_for_everybody_and_nothing_else(world: World, method: str, path: str) -> None:
    browser = world.browser()
    answer = browser.get(f"/my{path}") if method == "GET" else browser.post(f"/my{path}", {})
    is_out = answer.headers.get("location", "").startswith("/my/sign-in") and answer.status_code == 303
    template = path.replace("/invitation/X", "/invitation/{code}")
    if CUSTOMER_RULES[method, template] is Who.CUSTOMER:
        assert is_out
    elif path not in ("/sign-in/code", "/preferences"):
        assert not is_out


@pytest.mark.parametrize(("method", "path"), [one for one in PATHS if CUSTOMER_RULES.get(one) is Who.CUSTOMER])
def test_a_staff_cookie_is_nobody_here_and_a_customers_nobody_there(world: World, method: str, path: str) -> None:
    world.settings = world.settings.model_copy(update={"staff_secret": type(world.settings.staff_secret)(STAFF_SECRET)})
    team = team_on(world.database, world.clock)
    with world.database.session.begin() as session:
        limits = Limits(timedelta(hours=1), timedelta(hours=10))
        from loyalty.people.models import Person  # noqa: PLC0415

        person = session.get_one(Person, team.members[Role.MANAGER].id)
        secret = SessionService(session, limits).begin(person, address="test", browser="a test")
    browser = world.browser()
    for name in ("loyalty_session", "loyalty_customer"):
        browser.http.cookies.set(name, secret)
    answer = browser.get(f"/my{path}") if method == "GET" else browser.post(f"/my{path}", {})
    assert answer.status_code in (303, 403)
    assert answer.headers.get("location", "/my/sign-in").startswith("/my/sign-in")
    customer = world.signed_in(CHEN)
    customer.http.cookies.set("loyalty_session", customer.secret())
    assert customer.get("/staff/home").headers["location"].startswith("/staff/sign-in")


def test_a_form_of_another_session_is_refused(world: World) -> None:
    from pages import csrf  # noqa: PLC0415

    mine, others = world.signed_in(CHEN), world.signed_in(LI)
    for token in ("", "x", csrf.token_for(others.secret())):
        for path in [path for method, path in CUSTOMER_RULES if method == "POST" and "sign-in" not in path]:
            assert mine.post(f"/my{path}", token=token).status_code == 403
    assert mine.get("/my/profile").status_code == 200


def test_a_customer_sees_nothing_of_another(world: World) -> None:
    chen, li = customer_of(world, CHEN), customer_of(world, LI)
    world.shop.sell(fuel(37), customer=chen, **today(world))
    world.shop.sell(fuel(21), customer=li, **today(world))
    world.shop.api.post(f"/v1/customers/{chen}/birthday", {"month": 2, "day": 29})
    world.shop.api.post(
        f"/v1/customers/{chen}/consents", {"purpose": "only-chen", "text_version": "1", "is_given": True}
    )
    browser = world.signed_in(LI)
    for path in ("home", "history", "friends", "profile"):
        page = browser.get(f"/my/{path}").text
        for secret in (chen, "37.0 L", "only-chen", "day 29", CHEN[-4:]):
            assert secret not in page
    assert "21.0 L" in browser.get("/my/history").text
    form = {"purpose": "only-chen", "text_version": "1", "is_given": "no"}
    assert browser.post("/my/profile/consents", form).status_code == 422


# -------------------------------------------------------------------- points


class Network:
    """What the network says, in its place."""

    def __init__(self, *holdings: Holding) -> None:
        self.holdings = holdings

    def of(self, _customer: str, _today: object, _days: int) -> tuple[Holding, ...]:
        return self.holdings


class Away:
    """A network that does not answer."""

    def of(self, *_asked: object) -> None:
        raise NetworkAway


def test_points_expiry_and_what_is_on_its_way(world: World) -> None:
    chen = customer_of(world, CHEN)
    sale = world.shop.sell(fuel(40), customer=chen, **today(world))
    browser = world.signed_in(CHEN)
    day = world.clock.now().date() + timedelta(7)
    world.parts.balances = Network(Holding("FUEL", 12_345, 45, [Expiring(day, 700)]))  # type: ignore[assignment]
    text = text_of(browser.get("/my/home"))
    assert "12,345" in text
    assert "700 are good until" in text
    assert "45 of them are set aside" in text
    points = sum(award["points"] for award in sale["awards"])
    assert f"+{points} on their way" in text
    with world.database.session.begin() as session:
        wishes = session.scalars(select(Wish)).all()
        refuse(wishes[0], "member_unknown", "nobody")
    text = text_of(browser.get("/my/home"))
    assert f"{wishes[0].points} are being looked into" in text


def test_points_that_are_owed_and_what_pays_them(world: World) -> None:
    chen = customer_of(world, CHEN)
    world.shop.in_debt(chen)
    browser = world.signed_in(CHEN)
    world.parts.balances = Network()  # type: ignore[assignment]
    assert "You owe 200" in text_of(browser.get("/my/home"))
    world.shop.sell(fuel(20), customer=chen, **today(world))
    assert "You owe 50" in text_of(browser.get("/my/home"))
    text = text_of(browser.get("/my/history"))
    assert "150 of them pay what you owed: the return of sale" in text
    assert "Set off against what was owed" in text
    browser.post("/my/preferences", {"language": "zh"})
    assert "其中 150 用于抵扣您所欠的积分：2026-07-07 第" in text_of(browser.get("/my/history"))


def test_a_network_that_is_away_takes_nothing_else_away(world: World) -> None:
    plan(world, "tier-schemes", {"scheme": tier_scheme()})
    world.shop.sell(fuel(40), customer=customer_of(world, CHEN), **today(world))
    browser = world.signed_in(CHEN)
    for away in (Away(), Balances(world.settings)):
        world.parts.balances = away  # type: ignore[assignment]
        text = text_of(browser.get("/my/home"))
        assert "The network does not answer just now" in text
        assert "on their way" in text
        assert "Bronze" in text


def test_a_customer_without_points_is_told_how_to_begin(world: World) -> None:
    browser = world.signed_in(CHEN)
    world.parts.balances = Network()  # type: ignore[assignment]
    assert "Your first visit brings points" in text_of(browser.get("/my/home"))
    assert "Nothing has happened yet" in text_of(browser.get("/my/history"))


# -------------------------------------------------------------------- tier and tasks


def test_the_way_to_the_next_tier(world: World) -> None:
    plan(world, "tier-schemes", {"scheme": tier_scheme(window={"kind": "calendar", "each": "month"})})
    chen = customer_of(world, CHEN)
    world.shop.sell(fuel(40), customer=chen, **today(world))
    browser = world.signed_in(CHEN)
    text = text_of(browser.get("/my/home"))
    assert "To Silver" in text
    assert "40 L of 60 L 20 L missing" in text
    assert "¥320.00 of ¥500.00 ¥180.00 missing" in text
    assert "One of these is enough. What you buy until" in text
    world.shop.sell(fuel(30), customer=chen, **today(world))
    text = text_of(browser.get("/my/home"))
    assert "a free wash a month" in text
    assert "To Gold" in text


def test_tasks_with_what_is_missing_and_their_stages(world: World) -> None:
    world_tasks = (
        task("litres", {"kind": "in_sum", "measure": "litres"}, (50, 10), (100, 40), times=3),
        task("days", {"kind": "streak"}, (3, 100)),
        task("gold-only", {"kind": "visits"}, (2, 5), tiers=["gold"]),
    )
    for one in world_tasks:
        plan(world, "tasks", {"program": "FUEL", "task": one})
    chen = customer_of(world, CHEN)
    world.shop.sell(fuel(60), customer=chen, **today(world))
    browser = world.signed_in(CHEN)
    page = browser.get("/my/home")
    text = text_of(page)
    assert "60 of 100 L" in text
    assert "40 L more for 40 points" in text
    assert "1 of 3 days running" in text
    assert "2 days running more for 100 points" in text
    assert "For other tiers" in text
    assert "10 points so far" in text
    assert re.search(r'<progress class="meter" value="60" max="100"', page.text)
    assert "还差 40 升，可得 40 积分" in text_of(browser.http.get("/my/home", headers={"Accept-Language": "zh-CN"}))


# -------------------------------------------------------------------- history


def test_history_says_why_what_came_back_and_what_became_of_it(world: World) -> None:
    world.settings = world.settings.model_copy(update={"console_url": "https://console.example/"})
    chen = customer_of(world, CHEN)
    sale = world.shop.sell(fuel(40), goods("drinks", 1_250), customer=chen, **today(world))
    done(world.shop.give_back(sale, (1, 10_000, 80_000_000)))
    with world.database.session.begin() as session:
        for wish in session.scalars(select(Wish)):
            if wish.original_id is None:
                wish.state, wish.leaf = WishState.SETTLED, LEAF
    page = world.signed_in(CHEN).get("/my/history")
    text = text_of(page)
    assert "40.0 L x 5" in text
    assert "Taken back, because something was returned" in text
    assert "Booked" in text
    assert f'href="https://console.example/explorer/entries/{LEAF}"' in page.text


def test_history_goes_on_page_by_page_through_sales_and_bonuses(world: World) -> None:
    plan(world, "tasks", {"program": "FUEL", "task": task("visits", {"kind": "visits"}, (1, 7), times=500)})
    chen = customer_of(world, CHEN)
    for litres in range(1, 26):
        world.shop.sell(fuel(litres), customer=chen, **today(world))
    browser = world.signed_in(CHEN)
    address, seen = "/my/history", []
    while address:
        page = browser.get(address).text
        seen.append(page)
        (address,) = [*re.findall(r'href="([^"]+)" rel="next"', page), None][:1]
    assert len(seen) == 3
    whole = "".join(seen)
    assert [whole.count(f" {litres}.0 L x 5") for litres in range(1, 26)] == [1] * 25
    assert whole.count("visits: 1 reached") == 25


# -------------------------------------------------------------------- friends


def test_a_customer_hands_on_a_code_and_sees_what_became_of_it(world: World) -> None:
    plan(world, "referral-schemes", {"program": "FUEL", "scheme": referral_scheme()})
    browser = world.signed_in(CHEN)
    assert "Make my code" in text_of(browser.get("/my/friends"))
    assert browser.post("/my/friends/code").headers["location"] == "/my/friends"
    page = browser.get("/my/friends").text
    (link, code) = re.findall(r'href="([^"]+/my/invitation/(\w+))"', page)[0]
    assert link.startswith(world.settings.origin)
    invitation = text_of(world.browser().get(f"/my/invitation/{code}"))
    assert code in invitation
    assert "100 points more" in invitation
    assert world.browser().get("/my/invitation/NOBODYS2").status_code == 404
    phone = "+8613600136000"
    newcomer = world.customer(phone, referral_code=code)
    text = text_of(browser.get("/my/friends"))
    assert "Has joined" in text
    assert newcomer not in text
    world.shop.sell(fuel(30), customer=newcomer, **today(world))
    assert "Has come" in text_of(browser.get("/my/friends"))
    world.shop.sell(fuel(30), customer=newcomer, **today(world))
    assert "Came back" in text_of(browser.get("/my/friends"))


# -------------------------------------------------------------------- profile


def test_a_birthday_is_told_once(world: World) -> None:
    browser = world.signed_in(CHEN)
    bad = browser.post("/my/profile/birthday", {"month": "2", "day": "30"})
    assert (bad.status_code, "This month has no such day" in text_of(bad)) == (422, True)
    assert 'id="f-day-error"' in bad.text
    assert browser.post("/my/profile/birthday", {"month": "13", "day": "1"}).status_code == 422
    assert browser.post("/my/profile/birthday", {"month": "2", "day": "29"}).status_code == 303
    assert "Month 2, day 29" in text_of(browser.get("/my/profile"))
    assert browser.post("/my/profile/birthday", {"month": "3", "day": "1"}).status_code == 422
    assert "Month 2, day 29" in text_of(browser.get("/my/profile"))


def test_consents_are_given_and_withdrawn_by_purpose_and_text(world: World) -> None:
    browser = world.signed_in(CHEN)
    text = text_of(browser.get("/my/profile"))
    assert "You may send me offers by message." in text
    given = {"purpose": "marketing", "text_version": "2026-11", "is_given": "yes"}
    assert browser.post("/my/profile/consents", given).status_code == 303
    assert "You agree" in text_of(browser.get("/my/profile"))
    assert browser.post("/my/profile/consents", given | {"is_given": "no"}).status_code == 303
    assert "Withdrawn" in text_of(browser.get("/my/profile"))
    for other in ({"text_version": "2025"}, {"purpose": "sale-of-data"}, {"is_given": "no"}):
        answer = browser.post("/my/profile/consents", given | other)
        assert (answer.status_code, "There is no such text any more" in text_of(answer)) == (422, True)
    with world.database.reading() as session:
        kept = [
            (one.purpose, one.text_version, one.is_given)
            for one in session.scalars(select(Consent).order_by(Consent.id))
        ]
    assert kept == [("marketing", "2026-11", True), ("marketing", "2026-11", False)]


def test_what_was_agreed_to_in_an_older_text_can_be_withdrawn_or_renewed(world: World) -> None:
    chen = customer_of(world, CHEN)
    body = {"purpose": "marketing", "text_version": "2025-01", "is_given": True}
    done(world.shop.api.post(f"/v1/customers/{chen}/consents", body))
    browser = world.signed_in(CHEN)
    text = text_of(browser.get("/my/profile"))
    assert "The text has changed since; this is version 2026-11." in text
    assert "I agree to the new text" in text
    form = {"purpose": "marketing", "text_version": "2025-01", "is_given": "no"}
    assert browser.post("/my/profile/consents", form).status_code == 303


def test_what_a_customer_is_known_by_is_masked(world: World) -> None:
    chen = customer_of(world, CHEN)
    done(world.shop.api.post(f"/v1/customers/{chen}/identifiers", {"kind": "plate", "value": "京A12345"}))
    page = world.signed_in(CHEN).get("/my/profile").text
    assert "+86••••000" in page
    assert "京A••••45" in page
    assert CHEN not in page
    assert "京A12345" not in page


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x", "Expected '='"),
        ("marketing = 1", "marketing is no table"),
        ('["a b"]\nversion = "1"', "is no purpose"),
        (
            '[a]\nversion = ""\ntitle = {en = "x", zh = "x"}\ntext = {en = "x", zh = "x"}',
            "a.version: String should match",
        ),
        ('[a]\nversion = "1"\ntitle = {en = "x"}\ntext = {en = "x", zh = "x"}', "a.title.zh: Field required"),
    ],
)
def test_a_file_of_consents_that_cannot_be_meant_is_refused(  # type: ignore[no-untyped-def]
    programme, shifted, tmp_path, text: str, says: str
) -> None:
    from loyalty.kit.settings import WrongSettings  # noqa: PLC0415

    world = world_on(programme, shifted, tmp_path)
    assert world.settings.consents_file is not None
    world.settings.consents_file.write_text(text, encoding="utf-8")
    with pytest.raises(WrongSettings, match="LOYALTY_CONSENTS_FILE: ") as refused:
        assert world.app
    assert says in str(refused.value)


def test_pages_bind_the_browser_and_are_kept_by_nobody(world: World) -> None:
    headers = world.signed_in(CHEN).get("/my/home").headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert json.dumps(dict(headers)).count(CHEN) == 0
