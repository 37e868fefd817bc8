"""Coming in: an invitation, the first operator's new password, the second factor, and a forgotten password."""

from __future__ import annotations

from collections.abc import Callable

import pyotp
from playwright.sync_api import expect

from tests.console.sending import opened, posted
from tests.console.site import Person, Site

PASSWORD = "quiet-harbour-at-noon"


def test_the_first_operator_can_do_nothing_before_it_has_a_password_of_its_own(site: Site) -> None:
    first = site.network.first_operator
    assert first is not None
    with site.http() as http:
        begun = opened(http, "/sign-in").send("/sign-in", email=first.email, password=first.password)
        assert begun.leads_to == "/"
        for path in ("/", "/operations", "/audit"):
            assert opened(http, path).leads_to == "/password", path
        page = opened(http, "/password")
        wrong = page.send("/password", password="something else", new_password=PASSWORD, again=PASSWORD)
        assert wrong.status == 422
        assert wrong.error("password")
        unlike = page.send("/password", password=first.password, new_password=PASSWORD, again=PASSWORD + "!")
        assert unlike.error("again")
        assert page.send("/password", password=first.password, new_password=PASSWORD, again=PASSWORD).leads_to == "/"
        assert opened(http, "/operations").status == 200


def test_an_invited_person_joins_and_turns_the_second_factor_on(site: Site, someone: Callable[..., Person]) -> None:
    invitation = site.operator.invitations.create(email="auditor.two@network.example", title="auditor", language="zh")
    assert invitation.link is not None
    path = "/" + invitation.link.partition("://")[2].partition("/")[2]
    visitor = someone(None)
    page = visitor.open(path)
    expect(page.get_by_text("auditor.two@network.example")).to_be_visible()
    visitor.check("invitation")
    page.fill("#f-name", "周全")
    page.fill("#f-password", PASSWORD)
    page.fill("#f-again", PASSWORD)
    page.get_by_role("button", name="接受").click()
    expect(page.get_by_text("周全").first).to_be_visible()

    visitor.open("/second-factor")
    visitor.check("second-factor")
    page.fill("#f-password", PASSWORD)
    page.get_by_role("button", name="下一步").click()
    secret = page.locator("[data-copy]").first.get_attribute("data-copy")
    assert secret is not None
    visitor.check("second-factor-app")
    page.fill("#f-one_time_code", pyotp.TOTP(secret).now())
    page.get_by_role("button", name="启用").click()
    expect(page.get_by_role("listitem").filter(has=page.locator("code"))).to_have_count(10)
    visitor.check("recovery-codes")
    visitor.open("/audit")

    with site.http() as http:
        refused = opened(http, "/sign-in").send("/sign-in", email="auditor.two@network.example", password=PASSWORD)
        assert refused.error("one_time_code")
        again = opened(http, path)
        assert again.status in (404, 409), "an invitation is accepted once"


def test_nobody_learns_who_has_an_account(site: Site) -> None:
    with site.http() as http:
        for email in ("nobody@network.example", "auditor.two@network.example"):
            asked = opened(http, "/forgotten-password").send("/forgotten-password", email=email)
            assert asked.status == 422
            assert "The network sends no mail: the operator gives you a new password." in asked.text
        wrong = opened(http, "/new-password?token=tdr_0_0").send("/new-password", password=PASSWORD, again=PASSWORD)
        assert wrong.status in (404, 409, 422)
        assert opened(http, "/password").leads_to.startswith("/sign-in")
        assert posted(http, "/sign-in", "/second-factor", password=PASSWORD).leads_to.startswith("/sign-in")
