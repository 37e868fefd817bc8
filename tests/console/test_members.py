"""Members: finding them, and what can be done for them. Each test has members of its own."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.console.sending import opened, posted
from tests.console.site import Person, Site
from tongdui import Member, NotFoundError

_WAIT = 60.0


def member_with(site: Site, number: str, points: int = 0) -> Member:
    """A member of the gas station."""
    station = site.merchants["FUEL"].client
    member = station.members.create(external_id=number)
    if points:
        station.issuances.create(program="FUEL", member=member, points=points, wait=_WAIT).settled()
    return member


def test_a_person_takes_care_of_a_member_from_its_first_card_to_its_last(
    site: Site, someone: Callable[..., Person]
) -> None:
    """Registers, numbers, freezes, merges and erases, in Chinese."""
    station = site.merchants["FUEL"].client
    clerk = someone("merchant:admin", language="zh")
    staying = member_with(site, "LIFE-0", points=40)

    page = clerk.open("/members/new")
    page.get_by_label("会员编号", exact=True).fill("LIFE-1")
    page.get_by_role("button", name="登记").click()
    expect(page.get_by_text("会员已登记。")).to_be_visible()
    expect(page.get_by_role("heading", name="LIFE-1")).to_be_visible()
    member = station.members.get("external:LIFE-1")

    page.get_by_label("新增编号").fill("LIFE-2")
    page.get_by_role("button", name="添加编号").click()
    expect(page.get_by_text("会员新增了一个编号。")).to_be_visible()
    page.get_by_role("listitem").filter(has_text="LIFE-1").get_by_role("button", name="停用").first.click()
    page.get_by_role("dialog").get_by_role("button", name="停用").click()
    expect(page.get_by_text("编号 LIFE-1 已停用。")).to_be_visible()
    assert station.members.get(member.id).external_ids == ("LIFE-2",)

    page.get_by_text("封禁：卡被盗，或有疑问").click()
    page.get_by_label("原因").fill("卡被盗")
    page.get_by_role("button", name="封禁").click()
    expect(page.get_by_text("会员已封禁。")).to_be_visible()
    assert station.members.get(member.id).freezes[0].reason == "卡被盗"
    clerk.check("members-frozen")
    page.get_by_role("button", name="解除您的封禁").click()
    expect(page.get_by_text("您的封禁已解除。")).to_be_visible()

    station.issuances.create(program="FUEL", member=member, points=25, wait=_WAIT).settled()
    page.get_by_role("link", name="合并：两位会员是同一个人").click()
    page.get_by_label("保留哪位会员？").fill("LIFE-0")
    page.get_by_role("button", name="查看将会发生什么").click()
    expect(page.get_by_text("此操作无法撤销。")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="FUEL").filter(has_text="25")).to_be_visible()
    clerk.check("members-merges-merge")
    assert station.members.get(member.id).id == member.id, "nothing happens before it is confirmed"
    page.get_by_role("button", name="合并", exact=True).click()
    page.get_by_role("button", name="永久合并").click()
    expect(page.get_by_text("两位会员已合为一位，积分正在转移。")).to_be_visible()
    assert station.members.get("external:LIFE-2").id == staying.id

    clerk.open(f"/members/{staying.id}/erase")
    page.get_by_label("已问过会员，会员放弃剩余积分").check()
    page.get_by_label("请输入会员编号以确认").fill("LIFE-0")
    page.keyboard.press("Enter")  # asks once more, and does nothing yet
    expect(page.get_by_role("dialog")).to_be_visible()
    clerk.check("members-member-erase-asked")
    assert station.members.get(staying.id)
    page.get_by_role("button", name="永久抹除").click()
    expect(page.get_by_text("LIFE-0 已抹除。全网不再有人认识这位会员。")).to_be_visible()
    with pytest.raises(NotFoundError):
        station.members.get(staying.id)


@pytest.mark.parametrize("width", ["desktop", "phone"])
def test_a_link_code_is_shown_large_with_its_time(site: Site, someone: Callable[..., Person], width: str) -> None:
    member = member_with(site, f"LINK-{width}")
    clerk = someone("merchant:admin", language="en", width=width)
    page = clerk.open(f"/members/{member.id}")
    page.get_by_role("button", name="Link code").click()
    expect(page.get_by_role("timer")).to_have_text(re.compile(r"^(10:00|9:\d\d)$"))
    expect(page.get_by_role("img", name="The code as a QR code").locator("svg")).to_be_visible()
    clerk.check("members-member-link-code")
    code = page.locator(".code-text").inner_text().strip()
    with site.http(site.strangers["MART"]) as http:
        done = opened(http, "/members/new").send("/members/new", external_id=f"M-{width}", link_code=code)
        assert done.leads_to == f"/members/{member.id}"
        again = opened(http, "/members/new").send("/members/new", external_id=f"M-{width}-2", link_code=code)
    assert again.status == 422
    assert again.error("link_code") == "The link code is not valid."
    assert again.value("link_code") == code


def test_a_member_is_found_by_the_beginning_of_a_number_or_by_its_id(site: Site) -> None:
    first, second = member_with(site, "FIND-1"), member_with(site, "FIND-2")
    with site.http(site.seats["merchant:admin"]) as http:
        assert opened(http, f"/members?search={first.id}").leads_to == f"/members/{first.id}"
        one, both, none = (opened(http, f"/members?search={text}") for text in ("FIND-2", "FIND-", "FIND-9"))
    assert second.id in one.text
    assert first.id not in one.text
    assert first.id in both.text
    assert second.id in both.text
    assert "Register FIND-9" in none.text


def test_a_list_goes_on_where_its_page_ended(site: Site) -> None:
    numbers = [f"LIST-{number:03}" for number in range(60)]
    site.merchants["FUEL"].client.members.register(numbers)
    with site.http(site.seats["merchant:admin"]) as http:
        first = opened(http, "/members?search=LIST-")
        following = re.search(r'<a[^>]*href="([^"]*cursor=[^"]*)" rel="next"', first.text)
        assert following is not None
        second = opened(http, following[1].replace("&amp;", "&"))
    found = re.findall(r"LIST-\d{3}(?=</a>)", first.text + second.text)
    assert sorted(found) == numbers


def test_what_is_wrong_with_a_number_stands_beside_it(site: Site) -> None:
    station = site.merchants["FUEL"].client
    member = member_with(site, "WRONG-1")
    other = member_with(site, "WRONG-2")
    station.members.add_external_id(member, "WRONG-3")
    station.members.retire_external_id(member, "WRONG-3")
    path = f"/members/{member.id}"
    with site.http(site.seats["merchant:admin"]) as http:
        page = opened(http, path)
        taken = page.send(f"{path}/numbers", external_id="WRONG-2")
        retired = taken.send(f"{path}/numbers", external_id="WRONG-3")
        empty = page.send(f"{path}/freeze", reason="")
        itself = opened(http, f"{path}/merge").send(f"{path}/merge", into="WRONG-1")
        nobody = opened(http, f"{path}/merge").send(f"{path}/merge", into="WRONG-9")
        fresh = opened(http, "/members/new").send("/members/new", external_id="WRONG-3")
        reissued = opened(http, "/members/new").send("/members/new", external_id="WRONG-3", reissue="on")
    assert taken.status == retired.status == empty.status == itself.status == nobody.status == fresh.status == 422
    assert taken.error("external_id") == "You know another member by this number."
    assert retired.error("external_id") == "You have retired this number."
    assert retired.value("external_id") == "WRONG-3"
    assert empty.error("reason") == "Fill this in."
    assert itself.error("into") == "A member cannot be merged into itself."
    assert nobody.error("into") == "There is no such member."
    assert nobody.value("into") == "WRONG-9"
    assert fresh.error("external_id") == "You have retired this number."
    assert reissued.status == 303
    assert other.id


def test_nobody_is_erased_by_half_an_answer(site: Site) -> None:
    station = site.merchants["FUEL"].client
    member = member_with(site, "HALF-1", points=5)
    path = f"/members/{member.id}/erase"
    with site.http(site.seats["merchant:admin"]) as http:
        page = opened(http, path)
        assert "5<span" in page.text, "it says which points would be lost"
        wrong = page.send(path, name="HALF-2", sure="yes", forfeit_points="on")
        unsure = page.send(path, name="HALF-1", forfeit_points="on")
        kept = page.send(path, name="HALF-1", sure="yes")
        assert station.members.get(member.id)
        done = kept.send(path, name="HALF-1", sure="yes", forfeit_points="on")
        again = kept.send(path, name="HALF-1", sure="yes", forfeit_points="on")
    assert wrong.error("name") == "Type HALF-1, the number of this member."
    assert "Answer the second question, too: nothing was erased." in unsure.text
    assert kept.error("forfeit_points") == "The member still has points."
    assert done.leads_to == again.leads_to == "/members"


def test_another_merchant_sees_nothing_of_a_member(site: Site) -> None:
    member = member_with(site, "SECRET-1", points=5)
    merge = site.merchants["FUEL"].client.merges.create(member=member_with(site, "SECRET-2"), into=member)
    with site.http(site.strangers["WASH"]) as http:
        paths = ("", "/code", "/merge", "/erase")
        opens = [opened(http, f"/members/{member.id}{path}") for path in paths]
        opens += [opened(http, "/members/external:SECRET-1"), opened(http, f"/members/merges/{merge.id}")]
        page = "/members/new"
        sends = [
            posted(
                http,
                page,
                f"/members/{member.id}/{what}",
                external_id="X-1",
                reason="x",
                into="X",
                name="X",
                sure="yes",
            )
            for what in ("numbers", "numbers/retire", "freeze", "unfreeze", "link-code", "merge", "erase")
        ]
        sends += [posted(http, page, f"/members/merges/{merge.id}/{what}") for what in ("confirm", "cancel")]
        found = opened(http, "/members?search=SECRET")
    assert {one.status for one in opens} == {404}
    assert all(one.status in (404, 422) or one.leads_to == "/members" for one in sends), [one.status for one in sends]
    assert all("SECRET" not in one.text.replace("external:SECRET-1", "what was asked for") for one in (*opens, *sends))
    assert member.id not in found.text
    site.merchants["FUEL"].client.merges.cancel(merge)


def test_the_operator_freezes_for_all_and_an_auditor_only_looks(site: Site) -> None:
    member = member_with(site, "OVER-1")
    path = f"/members/{member.id}"
    with site.http(site.seats["operator"]) as http:
        assert opened(http, f"/members?search={member.address}").text.count(member.id) >= 1
        page = opened(http, path)
        assert "OVER-1" not in page.text, "numbers are the merchant's"
        assert page.send(f"{path}/freeze", reason="court order").leads_to == path
        assert opened(http, f"{path}/merge").status == 403
    with site.http(site.seats["auditor"]) as http:
        page = opened(http, path)
        assert "court order" in page.text
        assert "/freeze" not in page.text
        assert posted(http, path, f"{path}/unfreeze").status == 403
        assert opened(http, f"{path}/erase").status == 403
        assert opened(http, "/members/new").status == 403
    with site.http(site.seats["operator"]) as http:
        assert opened(http, path).send(f"{path}/unfreeze").leads_to == path
    assert site.operator.members.get(member.id).state == "active"


@pytest.mark.parametrize("title", ["viewer", "accountant"])
def test_who_only_looks_can_do_nothing_for_a_member(site: Site, title: str) -> None:
    member = member_with(site, f"LOOK-{title}")
    path = f"/members/{member.id}"
    with site.http(site.seats[f"merchant:{title}"]) as http:
        page = opened(http, path)
        assert f"LOOK-{title}" in page.text
        actions = ("numbers", "numbers/retire", "freeze", "unfreeze", "link-code", "code", "merge", "erase")
        sent = [
            posted(
                http, path, f"{path}/{action}", external_id="X-1", reason="x", into="X", name=member.id, sure="yes"
            ).status
            for action in actions
        ]
        asked = [
            opened(http, where).status for where in ("/members/new", f"{path}/merge", f"{path}/erase", f"{path}/code")
        ]
    assert set(re.findall(r'<form[^>]*action="([^"]+)"', page.text)) <= {"/preferences", "/sign-out", "/seat"}
    assert sent == [403] * len(sent)
    assert asked == [403] * 4
