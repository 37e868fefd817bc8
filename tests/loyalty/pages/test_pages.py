"""Every page, for each role that sees it, in both languages and widths: accessible, and without an error of the browser."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser
from starlette.routing import compile_path

from loyalty.kit.clock import ShiftedClock
from loyalty.kit.database import Database
from loyalty.pages.pages import PAGES
from loyalty.pages.parts import may_see
from loyalty.pages.rules import PAGE_RULES
from loyalty.people.service import ROLES
from loyalty.staff.models import Role
from tests.loyalty.pages.site import CONSOLE, LEAF, Site, seeded, visitor
from tests.loyalty.people.team import text_of
from tests.support.nightly import IS_NIGHTLY

WAYS = [("zh", "phone"), ("en", "desktop"), ("zh", "desktop"), ("en", "phone")]
WALKERS = (
    [(role, *way) for role in ROLES for way in WAYS]
    if IS_NIGHTLY
    else [
        (Role.MANAGER, "zh", "phone"),
        (Role.MARKETING, "en", "phone"),
        (Role.CASHIER, "zh", "desktop"),
        (Role.AUDITOR, "en", "desktop"),
    ]
)
"""Together they see every page, and what is shown to many in each language and width. All roles go all ways at night."""
NAMES = sorted((path for method, path in PAGE_RULES if method == "GET"), key=lambda path: ("{" in path, path))
MORE = (
    "/staff/rule-sets/{rule_set}/simulation?from=2026-07-01&to=2026-07-31&cost=0.01",
    "/staff/sales/{uncovered}",
    "/staff/rule-sets/{published}",
    "/staff/people/{person}",
    "/staff/rule-sets/new?from={rule_set}",
    "/staff/quiet-weeks?station=S17&coefficient=1.5",
    "/staff/tiers/{live_tiers}",
    "/staff/fills/{fill}",
    "/staff/devices/events?fill={fill}",
    "/staff/sales/{corrected}",
    "/staff/sales/{nobodys}",
    "/staff/sales/{sale}/correct",
    "/staff/tasks/{live_task}",
    "/staff/tasks/{live_task}/progress",
    "/staff/tasks/new?from={task}",
    "/staff/gifts/new?from={gift_plan}",
    "/staff/referrals/new?as=text",
    "/staff/tiers/{tier_scheme}/preview?from=silver&to=bronze",
)
"""What no link leads to at once."""


def name_of(address: str) -> str | None:
    """Which page an address is."""
    path = urlsplit(address).path.removeprefix("/staff")
    return next((name for name in NAMES if compile_path(name)[0].match(path)), None)


@pytest.mark.parametrize(("role", "language", "width"), WALKERS)
def test_a_role_can_use_every_page_that_it_sees(
    site: Site, browser: Browser, role: Role, language: str, width: str
) -> None:
    """Begins with the navigation, and follows the first link to each further page."""
    with visitor(site, browser, role, language, width) as somebody:
        waiting = [page.path for page in PAGES if may_see(role, page)]
        waiting += [path.format(**site.things) for path in MORE if role in PAGE_RULES["GET", str(name_of(path))]]
        seen: set[str] = set()
        wrong: list[str] = []
        while waiting:
            address = waiting.pop(0)
            name = name_of(address)
            key = (
                address
                if "simulation?" in address or "quiet-weeks?" in address or "?from=" in address or "?as=" in address
                else name
            )
            if name is None or key is None or key in seen:
                continue
            seen.add(key)
            page = somebody.open(address)
            shown = re.sub(r"[{}]", "", name).strip("/").replace("/", "-")
            wrong += somebody.mistakes(shown + ("-shown" if "?" in address else ""))
            waiting += page.eval_on_selector_all(
                "main a[href^='/staff/']", "links => links.map(one => one.getAttribute('href'))"
            )
        missing = {page.below for page in PAGES if may_see(role, page)} - seen
        assert not missing
        assert wrong == [], "\n".join(wrong)


@pytest.mark.parametrize(("language", "width"), WAYS[:2])
def test_whoever_has_not_signed_in_sees_right_pages(site: Site, browser: Browser, language: str, width: str) -> None:
    with visitor(site, browser, None, language, width) as somebody:
        page = somebody.open("/staff/sign-in")
        somebody.check("sign-in")
        somebody.excused.append("422|404")
        page.fill("input[name=login]", "manager")
        page.fill("input[name=password]", "wrong")
        page.fill("input[name=code]", "000000")
        page.click("main button[type=submit]")
        page.wait_for_selector(".error-summary")
        somebody.check("sign-in-refused")
        page.goto(f"{site.url}/staff/join?link=x")
        somebody.check("join-gone")


def test_a_person_joins_with_a_browser(site: Site, browser: Browser) -> None:
    """From the link to the overview: the password, the app's secret, its first code."""
    from loyalty.people.service import PeopleService  # noqa: PLC0415

    with site.database.session.begin() as session:
        _, link = PeopleService(session).invite("new.person", "新人", Role.CASHIER, actor="test")
    with visitor(site, browser, None, "zh", "desktop") as somebody:
        page = somebody.open(f"/staff/join?link={link}")
        somebody.check("join")
        page.fill("input[name=password]", "Correct-Horse-7")
        page.fill("input[name=again]", "Correct-Horse-7")
        page.click("main button[type=submit]")
        page.wait_for_selector(".code-picture svg")
        somebody.check("join-app")
        import pyotp  # noqa: PLC0415

        secret = re.findall(r"\b[A-Z2-7]{32}\b", page.inner_text("main"))[0]
        page.fill("input[name=code]", pyotp.TOTP(secret).at(site.team.clock.now()))
        page.click("main button[type=submit]")
        page.wait_for_selector("code")
        somebody.check("join-recovery-codes")
        page.click("main a.btn")
        page.wait_for_url("**/staff/home")
        assert "新人" in page.inner_text("body")


def test_a_customers_story_leads_to_the_chain(site: Site) -> None:
    browser = site.team.browser()
    browser.http.cookies.set("loyalty_session", site.secret(Role.CASHIER))
    text = browser.get(f"/staff/customers/{site.things['customer']}").text
    assert "points by the litre: 31.0 L x 5" in text
    assert "took points back" in text
    assert f'href="{CONSOLE}/explorer/entries/{LEAF}"' in text
    chinese = browser.http.get(f"/staff/customers/{site.things['customer']}", headers={"Accept-Language": "zh-CN"}).text
    assert "加油积分 155：" in chinese


def test_versions_of_plans_tell_their_state_and_what_they_say(site: Site) -> None:
    browser = site.team.browser()
    browser.http.cookies.set("loyalty_session", site.secret(Role.MARKETING))
    listed = text_of(browser.get("/staff/tiers"))
    assert re.search(r"Club 2 club 1 Jan 2026.*?Draft.*?Club 1 club 1 Jan 2026.*?In force today", listed)
    said = text_of(browser.get(f"/staff/tiers/{site.things['live_tiers']}"))
    assert "Silver silver ¥500.00 or 60 L 1.5 a free wash a month" in said
    chinese = browser.http.get(f"/staff/tiers/{site.things['live_tiers']}", headers={"Accept-Language": "zh-CN"})
    assert "白银 silver ¥500.00或60 升 1.5 每月一次免费洗车" in text_of(chinese)


def test_a_customers_page_tells_where_they_stand(site: Site) -> None:
    browser = site.team.browser()
    path = f"/staff/customers/{site.things['customer']}"
    browser.http.cookies.set("loyalty_session", site.secret(Role.CASHIER))
    said = text_of(browser.get(path))
    assert "Tier Silver What counts" in said
    assert "Next one Gold Still missing ¥" in said
    assert re.search(r"Days running days running, each with a visit \d+ of 20", said)
    assert "Code to hand on" in said
    browser.http.cookies.set("loyalty_session", site.secret(Role.AUDITOR))
    assert "Next one" not in text_of(browser.get(path))


def test_a_fill_shows_its_events_to_who_may_see_them(site: Site) -> None:
    browser = site.team.browser()
    path = f"/staff/fills/{site.things['fill']}"
    browser.http.cookies.set("loyalty_session", site.secret(Role.MANAGER))
    said = text_of(browser.get(path))
    assert "38.2 L" in said
    assert "Events" in said
    assert "38.2 L" in text_of(browser.get("/staff/devices/events", fill=site.things["fill"]))
    assert "Running" in text_of(browser.get("/staff/fills", state="running"))
    browser.http.cookies.set("loyalty_session", site.secret(Role.MARKETING))
    assert "Events" not in text_of(browser.get(path))


def test_a_task_tells_how_it_goes(site: Site) -> None:
    browser = site.team.browser()
    browser.http.cookies.set("loyalty_session", site.secret(Role.MARKETING))
    said = text_of(browser.get(f"/staff/tasks/{site.things['live_task']}"))
    assert "What is counted days running, each with a visit" in said
    assert "Have finished in this round 0 Had a bonus: 1" in said
    assert "Budget in all 100 Of 1,000" in said
    said = text_of(browser.get(f"/staff/tasks/{site.things['live_task']}/progress"))
    assert re.search(r"On the way \d+ Have finished 0", said)
    assert re.search(r"Begun, and no stage reached yet \d+ At least 3 of 20 1", said)


@pytest.mark.parametrize(
    ("path", "sentences"),
    [
        ("/staff/tasks/{task}", ("visits at which at least 40 litres were bought at once", "Begins anew each month")),
        ("/staff/referrals/{live_referrals}", ("2 visits of the newcomer within 3 months Who brought them 300",)),
        (
            "/staff/gifts/{live_gifts}",
            (
                "For joining with the first sale of which something is left 50",
                "For a whole profile Card, Birthday and agrees to marketing 30",
                "On the birthday Silver or Gold 100",
            ),
        ),
    ],
)
def test_a_version_says_in_words_what_it_gives(site: Site, path: str, sentences: tuple[str, ...]) -> None:
    browser = site.team.browser()
    browser.http.cookies.set("loyalty_session", site.secret(Role.AUDITOR))
    said = text_of(browser.get(path.format(**site.things)))
    for sentence in sentences:
        assert sentence in said


def test_fields_say_all_that_a_plan_says(site: Site, browser: Browser) -> None:
    """The fields of a next version, sent as they are, say the same as the version before."""
    with visitor(site, browser, Role.MARKETING, "zh", "phone") as somebody:
        for below, api, field, thing in (
            ("tasks", "tasks", "task", "live_task"),
            ("referrals", "referral-schemes", "scheme", "live_referrals"),
            ("gifts", "gift-plans", "plan", "live_gifts"),
        ):
            page = somebody.open(f"/staff/{below}/new?from={site.things[thing]}")
            page.click("main form.form button[type=submit]")
            page.wait_for_url(f"**/staff/{below}/*_*")
            kept = page.url.rpartition("/")[2]
            before, after = (site.shop.api.get(f"/v1/{api}/{one}").json()[field] for one in (site.things[thing], kept))
            assert after.pop("version") > before.pop("version")
            assert after == before


def test_a_preview_of_tiers_leads_to_those_who_would_move(site: Site) -> None:
    browser = site.team.browser()
    browser.http.cookies.set("loyalty_session", site.secret(Role.MANAGER))
    path = f"/staff/tiers/{site.things['tier_scheme']}/preview"
    assert "Silver Bronze down 1" in text_of(browser.get(path))
    said = browser.get(path, **{"from": "silver", "to": "bronze"}).text
    assert f'href="/staff/customers/{site.things["customer"]}"' in said
    assert "From Silver to Bronze" not in browser.get(path, **{"from": "gold", "to": "bronze"}).text


def test_an_auditor_sees_what_was_earned_and_not_by_what_a_customer_is_known(site: Site) -> None:
    browser = site.team.browser()
    browser.http.cookies.set("loyalty_session", site.secret(Role.AUDITOR))
    text = browser.get(f"/staff/customers/{site.things['customer']}").text
    assert "6222000012345" not in text
    assert "Birthday" not in text
    assert "points by the litre" in text
    found = browser.get("/staff/customers", kind="card", value="6222000012345")
    assert found.status_code == 422


def test_the_home_page_tells_what_needs_a_decision(site: Site) -> None:
    browser = site.team.browser()
    browser.http.cookies.set("loyalty_session", site.secret(Role.MANAGER))
    text = browser.get("/staff/home").text
    for sentence in ("refused wishes", "do not say the same", "Returns wait", "No rules were in force"):
        assert sentence in text
    browser.http.cookies.set("loyalty_session", site.secret(Role.CASHIER))
    text = browser.get("/staff/home").text
    assert "refused wishes" not in text
    assert "No rules were in force" in text


def test_budgets_of_rules_and_tasks_stand_together(programme: Database, shifted: ShiftedClock) -> None:
    """In a programme of its own: the forms publish other rules."""
    site = seeded(programme, shifted)
    browser = site.team.browser()
    browser.http.cookies.set("loyalty_session", site.secret(Role.AUDITOR))
    said = text_of(browser.get("/staff/budgets"))
    assert re.search(r"points by the litre club 1 · litre \d{4}-\d\d 0 100,000 100,000 Pays", said)
    assert "Days running three-days 1 in all 100 1,000 900 Pays" in said
