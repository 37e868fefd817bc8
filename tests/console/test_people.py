"""People: who works at a merchant or for the network, who is invited, and who may come in no more; and one's own account."""

from __future__ import annotations

import re
from collections.abc import Callable

import pyotp
import pytest
from playwright.sync_api import expect

from tests.console.sending import Sheet, opened, posted
from tests.console.site import Person, Site
from tests.gateway.staff import PASSWORD
from tongdui import Client, StaffMember

NEW_PASSWORD = "quiet-harbour-at-noon"


def _link(sheet: Sheet) -> str:
    """The token of the invitation that a page shows."""
    found = re.search(r'data-copy="[^"]*(tdi_[^"]*)"', sheet.text)
    assert found is not None, sheet.text
    return found[1]


def _joined(site: Site, http_seat: str, email: str, title: str, name: str) -> str:
    """Has somebody invited on a page and accept; the token of the session."""
    with site.http(site.seats[http_seat]) as http:
        page = opened(http, "/people/invite")
        shown = page.send("/people/invite", email=email, title=title, name=name, language="en", reason="a second one")
        if title == "treasury":  # the code is for the operator, and the link for whoever approves
            code = re.findall(r'data-copy="([^"]+)"', shown.text)[0]
            (asked,) = site.treasury.approvals.list(state="requested", kind="invitation")
            link = str(site.treasury.approvals.approve(asked).link)
        else:
            code, link = None, _link(shown)
    with Client(site.network.url) as client:
        token = link.rpartition("=")[2]
        return str(client.invitations.accept(token, password=PASSWORD, code=code, name=name, language="zh").token)


def _member(site: Site, email: str, code: str = "FUEL") -> StaffMember:
    return next(one for one in site.operator.staff.list(merchant=site.merchants[code].id) if one.person.email == email)


def test_an_admin_invites_somebody_who_works_is_signed_out_disabled_and_let_in_again(
    site: Site, someone: Callable[..., Person]
) -> None:
    admin = someone("merchant:admin")
    page = admin.open("/people/invite")
    page.fill("#f-email", "he.mei")
    page.fill("#f-name", "何美")
    page.get_by_label("收银员").check()
    page.get_by_role("button", name="邀请").click()
    expect(page.locator("#f-email-error")).to_be_visible()
    expect(page.locator("#f-email")).to_have_value("he.mei")
    expect(page.locator("#f-name")).to_have_value("何美")
    expect(page.get_by_label("收银员")).to_be_checked()
    admin.excused.append("422")
    page.fill("#f-email", "he.mei@fuel.example")
    page.get_by_role("button", name="邀请").click()
    token = page.locator("[data-copy]").first.get_attribute("data-copy")
    assert token is not None
    admin.check("people-invited")
    page.get_by_role("link", name="查看全部人员").click()
    row = page.get_by_role("row").filter(has_text="he.mei@fuel.example")
    row.get_by_role("button", name="重新发送").click()
    page.get_by_role("dialog").get_by_role("button", name="再次邀请").click()
    second = page.locator("[data-copy]").first.get_attribute("data-copy")
    assert second is not None
    assert second != token
    with Client(site.network.url) as client:
        with pytest.raises(Exception, match="ended"):
            client.invitations.look_up(token.rpartition("=")[2])
        mei = client.invitations.accept(second.rpartition("=")[2], password=PASSWORD, name="何美")

    admin.open("/people")
    found = page.locator(f"#row-{mei.seat.id}")
    expect(found).to_contain_text("收银员")
    expect(found).to_contain_text("未开启")
    expect(page.get_by_text("没有待接受的邀请")).to_be_visible()
    admin.check("people-list")
    found.get_by_role("link", name="何美").click()
    page.get_by_label("新职务").select_option("manager")
    page.get_by_role("button", name="更改职务").click()
    expect(page.get_by_text("何美 的职务已改为经理，需要重新登录。")).to_be_visible()
    with Client(site.network.url) as client:
        again = client.sessions.create(email="he.mei@fuel.example", password=PASSWORD)
    assert (mei.token, again.seat.title) != (again.token, "cashier")

    for button, confirm, said in (
        ("结束全部会话", "结束全部会话", "何美 已退出登录，需要重新登录。"),
        ("停用", "停用", "何美 已在各处退出登录，不能再登录。"),
        ("启用", "启用", "何美 可以重新登录了。"),
    ):
        page.get_by_role("button", name=button, exact=True).click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_be_visible()
        admin.check(f"people-asks-{button}")
        dialog.get_by_role("button", name=confirm).click()
        expect(page.get_by_text(said)).to_be_visible()
        with site.http(str(again.token)) as http:
            assert opened(http, "/home").leads_to.startswith("/sign-in"), button
        with Client(site.network.url) as client:
            if button == "停用":
                with pytest.raises(Exception, match="wrong"):
                    client.sessions.create(email="he.mei@fuel.example", password=PASSWORD)
            else:
                again = client.sessions.create(email="he.mei@fuel.example", password=PASSWORD)
    page.get_by_role("button", name="移除席位").click()
    page.get_by_role("dialog").get_by_role("button", name="移除席位").click()
    expect(page.get_by_text("何美 在此已没有席位。")).to_be_visible()
    expect(page.locator(f"#row-{mei.seat.id}")).to_have_count(0)


def test_what_is_refused_about_people_is_said_in_words(site: Site) -> None:
    own = _member(site, "admin@fuel.example")
    with site.http(site.seats["merchant:admin"]) as http:
        page = opened(http, f"/people/{own.seat.id}")
        assert "This is you." in page.text
        assert "/disable" not in page.text
        for action in ("disable", "sign-out", "remove"):
            refused = posted(http, "/people", f"/people/{own.seat.id}/{action}", idempotency_key=action)
            assert refused.status == 422, action
            assert "Nobody changes its own seat." in refused.text
        page = opened(http, "/people/invite")
        taken = page.send("/people/invite", email="viewer@fuel.example", title="cashier", name="", language="zh")
        assert taken.error("email") == "The person has a seat there already."
        wrong = page.send("/people/invite", email="x@fuel.example", title="operator", name="n", language="zh")
        assert wrong.error("title") == "Choose one of those offered."
        viewer = _member(site, "viewer@fuel.example")
        assert (
            opened(http, f"/people/{viewer.seat.id}")
            .send(f"/people/{viewer.seat.id}/title", title="treasury")
            .error("title")
        )
        gone = posted(http, "/people", "/people/invitations/inv_00000000000000000000000000/resend")
        assert gone.leads_to == "/people"


def test_an_invitation_is_sent_again_once_and_taken_back(site: Site) -> None:
    with site.http(site.seats["merchant:admin"]) as http:
        opened(http, "/people/invite").send(
            "/people/invite", email="twice@fuel.example", title="viewer", name="", language="zh"
        )
        page = opened(http, "/people")
        (invitation,) = re.findall(r'action="/people/invitations/(inv_\w+)/resend"', page.text)
        _link(page.send(f"/people/invitations/{invitation}/resend"))
        repeated = page.send(f"/people/invitations/{invitation}/resend")
        assert repeated.leads_to == "/people", "the one that it replaced is open no more"
        page = opened(http, "/people")
        (newer,) = re.findall(r'action="/people/invitations/(inv_\w+)/revoke"', page.text)
        assert newer != invitation
        assert page.send(f"/people/invitations/{newer}/revoke").leads_to == "/people"
        assert "Nobody is invited" in opened(http, "/people").text


def test_the_operator_keeps_the_networks_people_and_looks_at_each_merchants(site: Site) -> None:
    token = _joined(site, "operator", "treasury.two@network.example", "treasury", "Qian Er")
    viewer = _member(site, "viewer@fuel.example")
    fuel = f"?merchant={site.merchants['FUEL'].id}"
    with site.http(site.seats["operator"]) as http:
        page = opened(http, "/people")
        assert "Qian Er" in page.text
        assert "viewer@fuel.example" not in page.text
        seat = next(
            one.seat.id for one in site.operator.staff.list() if one.person.email == "treasury.two@network.example"
        )
        signed_out = opened(http, f"/people/{seat}").send(f"/people/{seat}/sign-out")
        assert signed_out.leads_to == f"/people/{seat}"
        page = opened(http, f"/people{fuel}")
        assert "viewer@fuel.example" in page.text
        assert "network.example" not in page.text
        assert "/people/invite" not in page.text
        page = opened(http, f"/people/{viewer.seat.id}{fuel}")
        assert f"/people/{viewer.seat.id}/title" not in page.text
        assert page.send(f"/people/{viewer.seat.id}/disable{fuel}").leads_to == f"/people/{viewer.seat.id}{fuel}"
        assert "Cannot sign in since" in opened(http, f"/people/{viewer.seat.id}{fuel}").text
        with site.http(site.seats["merchant:admin"]) as theirs:
            page = opened(theirs, f"/people/{viewer.seat.id}")
            assert "only the operator can enable it again" in page.text
            refused = posted(theirs, "/people", f"/people/{viewer.seat.id}/enable", idempotency_key="enable-theirs")
            assert (refused.status, "operator has disabled" in refused.text) == (422, True)
        opened(http, f"/people/{viewer.seat.id}{fuel}").send(f"/people/{viewer.seat.id}/enable{fuel}")
    with site.http(token) as http:
        assert opened(http, "/settlement").leads_to.startswith("/sign-in")
    with Client(site.network.url) as client:
        site.seats["merchant:viewer"] = str(
            client.sessions.create(email="viewer@fuel.example", password=PASSWORD).token
        )


def test_an_auditor_looks_at_people_and_changes_nothing(site: Site) -> None:
    viewer = _member(site, "viewer@fuel.example")
    fuel = f"?merchant={site.merchants['FUEL'].id}"
    with site.http(site.seats["auditor"]) as http:
        text = opened(http, f"/people/{viewer.seat.id}{fuel}").text
        assert "viewer@fuel.example" in text
        assert "/disable" not in text
        assert opened(http, "/people/invite").status == 403
        for action in ("disable", "enable", "sign-out", "remove"):
            assert posted(http, "/people", f"/people/{viewer.seat.id}/{action}{fuel}").status == 403, action
    assert not _member(site, "viewer@fuel.example").disabled_at


@pytest.mark.parametrize("seat", ["WASH", "MART"])
def test_a_merchants_people_see_nothing_of_anothers(site: Site, seat: str) -> None:
    viewer = _member(site, "viewer@fuel.example")
    fuel = f"?merchant={site.merchants['FUEL'].id}"
    invitation = site.operator.invitations.create(email=f"only.{seat.lower()}@network.example", title="auditor")
    with site.http(site.strangers[seat]) as http:
        for path in ("/people", f"/people{fuel}"):
            text = opened(http, path).text
            assert "fuel.example" not in text, path
            assert "network.example" not in text, path
        assert opened(http, f"/people/{viewer.seat.id}").status in (403, 404)
        for action, values in {
            "title": {"title": "admin"},
            "remove": {},
            "disable": {},
            "enable": {},
            "sign-out": {},
        }.items():
            answer = posted(http, "/people", f"/people/{viewer.seat.id}/{action}{fuel}", **values)
            assert answer.status in (403, 404), action
        refused = posted(http, "/people", f"/people/invitations/{invitation.id}/revoke")
        assert refused.status in (404, 422)
        assert posted(http, "/people", f"/people/invitations/{invitation.id}/resend").leads_to == "/people"
    assert _member(site, "viewer@fuel.example").seat.title == "viewer"
    site.operator.invitations.revoke(invitation)


# -------------------------------------------------------------------- one's own account


def test_somebody_cares_for_its_own_account(site: Site, someone: Callable[..., Person]) -> None:
    token = _joined(site, "merchant:admin", "own@fuel.example", "viewer", "Own")
    with Client(site.network.url) as client:
        phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit Version/17.0 Mobile Safari/604.1"
        other = client.sessions.create(
            email="own@fuel.example", password=PASSWORD, address="192.0.2.9", user_agent=phone
        )
        third = client.sessions.create(email="own@fuel.example", password=PASSWORD)
    me = someone(None, token=token)
    page = me.open("/account")
    me.check("account-begin")
    page.fill("#f-name", "欧雯")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("账户已更新。")).to_be_visible()
    expect(page.locator(".who")).to_contain_text("欧雯")
    page.fill("#f-name", "")
    page.get_by_role("button", name="保存").click()
    expect(page.locator("#f-name-error")).to_be_visible()
    me.excused.append("422")

    me.open("/account")
    row = page.locator(f"#row-{other.id}")
    expect(row).to_contain_text("Safari · iPhone")
    expect(row).to_contain_text("192.0.2.9")
    expect(page.get_by_role("row").filter(has_text="本次会话")).to_have_count(1)
    row.get_by_role("button", name="结束该会话").click()
    expect(page.get_by_text("该会话已结束。")).to_be_visible()
    expect(page.locator(f"#row-{other.id}")).to_have_count(0)
    expect(page.locator(f"#row-{third.id}")).to_have_count(1)
    page.get_by_role("button", name="结束其他全部会话").click()
    page.get_by_role("dialog").get_by_role("button", name="结束其他全部会话").click()
    expect(page.get_by_text("您在其他地方都已退出登录。")).to_be_visible()
    for ended in (other, third):
        with site.http(str(ended.token)) as http:
            assert opened(http, "/home").leads_to.startswith("/sign-in")

    page.get_by_role("link", name="修改密码").click()
    page.fill("#f-password", PASSWORD)
    page.fill("#f-new_password", NEW_PASSWORD)
    page.fill("#f-again", NEW_PASSWORD)
    page.get_by_role("button", name="修改密码").click()
    expect(page.get_by_text("密码已更换。")).to_be_visible()
    expect(page).to_have_url(site.url + "/account")

    page.get_by_role("link", name="启用").click()
    page.fill("#f-password", NEW_PASSWORD)
    page.get_by_role("button", name="下一步").click()
    secret = page.locator("[data-copy]").first.get_attribute("data-copy")
    page.fill("#f-one_time_code", pyotp.TOTP(str(secret)).now())
    page.get_by_role("button", name="启用").click()
    expect(page.get_by_role("listitem").filter(has=page.locator("code"))).to_have_count(10)
    codes = page.locator("li code").all_inner_texts()
    page.get_by_role("link", name="下一步").click()
    expect(page).to_have_url(site.url + "/account")
    expect(page.get_by_text("还剩 10 个恢复码。")).to_be_visible()
    with site.http() as http:  # the phone is lost
        sent = {"email": "own@fuel.example", "password": NEW_PASSWORD}
        wrong = opened(http, "/sign-in").send("/sign-in", one_time_code="K7Q2M-9XD4R-T0B5N", **sent)
        assert wrong.status == 422
        assert opened(http, "/sign-in").send("/sign-in", one_time_code=str(codes[0]), **sent).leads_to == "/"
    me.check("account-second-factor")
    page.locator("summary", has_text="生成新的恢复码").click()
    page.locator("#renew-codes input[type=password]").fill("wrong")
    page.locator("#renew-codes button").click()
    expect(page.locator("#renew-codes .field-error")).to_be_visible()
    page.locator("#renew-codes input[type=password]").fill(NEW_PASSWORD)
    page.locator("#renew-codes button").click()
    expect(page.get_by_role("listitem").filter(has=page.locator("code"))).to_have_count(10)
    me.open("/account")
    page.locator("summary", has_text="关闭双重验证").click()
    page.locator("#turn-off input[type=password]").fill(NEW_PASSWORD)
    page.locator("#turn-off button").click()
    expect(page.get_by_text("双重验证已关闭：只凭密码即可登录。")).to_be_visible()


def test_nobody_ends_the_session_of_another(site: Site) -> None:
    with Client(site.network.url, site.seats["merchant:cashier"]) as client:
        (theirs, *_) = client.sessions.list()
    with site.http(site.seats["merchant:admin"]) as http:
        assert posted(http, "/account", f"/account/sessions/{theirs.id}/end").status in (404, 422)
    with Client(site.network.url, site.seats["merchant:cashier"]) as client:
        assert client.sessions.current().id == theirs.id


def test_a_form_about_people_needs_its_token(site: Site) -> None:
    viewer = _member(site, "viewer@fuel.example")
    with site.http(site.seats["merchant:admin"]) as http:
        for path in (
            "/people/invite",
            f"/people/{viewer.seat.id}/title",
            f"/people/{viewer.seat.id}/disable",
            f"/people/{viewer.seat.id}/sign-out",
            f"/people/{viewer.seat.id}/remove",
            "/people/invitations/inv_0/revoke",
            "/people/invitations/inv_0/resend",
            "/account",
            "/account/recovery-codes",
            "/account/second-factor/remove",
            "/account/sessions/end-others",
            "/account/sessions/ses_0/end",
        ):
            assert http.post(path, data={"title": "admin", "email": "a@b.example"}).status_code == 403, path
    assert _member(site, "viewer@fuel.example").seat.title == "viewer"
