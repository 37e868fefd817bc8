"""Members: one identity, known to each merchant by the merchant's own external id."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import quote

from sqlalchemy import func, select, update

from clearing.parties.members.models import LinkCode, Member
from gateway.api.members.schemas import MemberView
from tests.gateway.site import Party, Site, together
from tongdui import Client
from tongdui.encoding import keccak256


def test_a_member_is_registered_once(site: Site, fuel: Party) -> None:
    first = site.call("POST", "/v1/members", {"external_id": "8620017"}, caller=fuel.id)
    again = site.call("POST", "/v1/members", {"external_id": "8620017"}, caller=fuel.id)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json() == fuel.get("/v1/members/external:8620017")
    assert fuel.get(f"/v1/members/{first.json()['id']}") == first.json()


def test_a_members_address_comes_from_a_secret_that_is_never_shown(site: Site, fuel: Party) -> None:
    member = fuel.post("/v1/members", {"external_id": "address"})
    with site.database.session() as session:
        secret = session.get_one(Member, member["id"]).secret
    assert member["address"] == "0x" + keccak256(secret)[-20:].hex()
    assert set(member) == set(MemberView.model_fields)
    assert secret.hex() not in repr(member)


def test_the_same_member_registered_at_the_same_moment_is_one(site: Site, fuel: Party) -> None:
    with site.database.session() as session:
        before = session.scalar(select(func.count()).select_from(Member))
    made = together(10, lambda _: site.call("POST", "/v1/members", {"external_id": "rush"}, caller=fuel.id))
    assert len({response.json()["id"] for response in made}) == 1
    assert sorted(response.status_code for response in made) == [200] * 9 + [201]
    with site.database.session() as session:
        assert session.scalar(select(func.count()).select_from(Member)) == (before or 0) + 1


NASTY = (
    *(
        "王小明",
        "a/b",
        "/",
        "//",
        "a b",
        "x:y",
        "100%",
        "%2F",
        "%252F",
        "%25",
        "?q=1",
        "#4",
        "a&b=c+d",
        ".",
        "..",
        "../x",
    ),
    *("1/accounts", "1/accounts/FUEL/lots", "mem_" + "0" * 26, "external:x", "é/ñ", "😀/😀", "~", "\\", '"', "x" * 128),
)


def test_external_ids_may_be_anything_printable(fuel: Party) -> None:
    for external_id in NASTY:
        member = fuel.post("/v1/members", {"external_id": external_id})
        path = f"/v1/members/{quote(f'external:{external_id}', safe='')}"
        assert fuel.get(path)["external_id"] == external_id
        assert fuel.get(path)["id"] == member["id"], external_id
        assert fuel.get(f"{path}/accounts")["data"] == []
        assert fuel.get(f"{path}/accounts/FUEL/lots")["data"] == []


def test_the_sdk_reaches_members_with_any_external_id(site: Site, fuel: Party) -> None:
    with Client(str(site.http.base_url), site.keys[fuel.id]) as client:
        for external_id in NASTY:
            member = client.members.create(external_id=external_id)
            name = f"external:{external_id}"
            assert client.members.get(name) == member
            assert not client.members.accounts(name)
            assert client.members.create_link_code(name).code


def test_a_slash_that_is_not_encoded_divides_the_path(fuel: Party, site: Site) -> None:
    fuel.member("A/1")
    fuel.member("A")
    for path in ("/v1/members/external:A/1", "/v1/members/external:A/1/accounts", "/v1%2Fmembers/external:A"):
        response = site.call("GET", path, caller=fuel.id)
        assert (response.status_code, response.json()["code"]) == (404, "not_found"), path
    assert fuel.get("/v1/members/external%3AA%2F1")["external_id"] == "A/1"


def test_two_spellings_of_a_path_are_one_request(fuel: Party) -> None:
    fuel.member("spelt/1")
    first = fuel.post("/v1/members/external:spelt%2F1/link_codes", {}, key="spelling")
    again = fuel.post("/v1/members/e%78ternal%3Aspelt%2f1/link_codes", {}, key="spelling")
    assert again["expires_at"] == first["expires_at"]


def test_another_merchant_registers_the_member_with_a_code(site: Site, fuel: Party, cine: Party) -> None:
    member = fuel.member("link-me")
    code = fuel.post("/v1/members/external:link-me/link_codes", {})["code"]
    typed = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    linked = cine.post("/v1/members", {"external_id": "cine-42", "link_code": typed})
    assert linked["id"] == member
    assert linked["external_id"] == "cine-42"
    assert fuel.get(f"/v1/members/{member}")["external_id"] == "link-me"
    other = site.merchant()
    body = {"external_id": "again", "link_code": code}
    other.refused("/v1/members", body, "link_code_invalid")


def test_a_code_lasts_ten_minutes(site: Site, fuel: Party, cine: Party) -> None:
    fuel.member("late")
    code = fuel.post("/v1/members/external:late/link_codes", {})["code"]
    with site.database.session.begin() as session:
        codes = session.scalars(select(LinkCode).where(LinkCode.used_at.is_(None))).all()
        assert all(
            site.clock.now() + timedelta(minutes=11) > row.expires_at > site.clock.now() + timedelta(minutes=9)
            for row in codes
        )
        session.execute(update(LinkCode).values(expires_at=site.clock.now()))
    cine.refused("/v1/members", {"external_id": "late", "link_code": code}, "link_code_invalid")


def test_a_code_is_used_once_even_at_the_same_moment(site: Site, fuel: Party) -> None:
    fuel.member("contested")
    code = fuel.post("/v1/members/external:contested/link_codes", {})["code"]
    others = [site.merchant() for _ in range(4)]
    body = {"external_id": "prize", "link_code": code}
    responses = together(4, lambda i: site.call("POST", "/v1/members", body, caller=others[i].id))
    assert sorted(response.status_code for response in responses) == [201, 422, 422, 422]


def test_a_code_is_shown_once(site: Site, fuel: Party) -> None:
    fuel.member("secretive")
    first = fuel.post("/v1/members/external:secretive/link_codes", {}, key="code-once")
    replay = fuel.post("/v1/members/external:secretive/link_codes", {}, key="code-once")
    assert replay == {**first, "code": None}
    with site.database.engine.connect() as connection:
        for table in ("link_codes", "idempotency_records", "events"):
            assert first["code"] not in repr(connection.exec_driver_sql(f"SELECT * FROM {table}").all())


def test_a_code_cannot_merge_two_members(fuel: Party, cine: Party) -> None:
    fuel.member("one")
    cine.member("two")
    code = fuel.post("/v1/members/external:one/link_codes", {})["code"]
    body = {"external_id": "two", "link_code": code}
    cine.refused("/v1/members", body, "external_id_taken", 409)
    assert (
        cine.post("/v1/members", {"external_id": "three", "link_code": code})["id"]
        == fuel.get("/v1/members/external:one")["id"]
    ), "a refused request uses no code up"


def test_a_merchant_sees_balances_in_programs_that_it_deals_with(
    site: Site, fuel: Party, cine: Party, exchange_agreement: str
) -> None:
    stranger = site.merchant(program="ALIEN")
    member = fuel.member("rich")
    for program, points in (("FUEL", 10), ("CINE", 20), ("ALIEN", 30)):
        site.give(member, program, points)
    accounts = fuel.get(f"/v1/members/{member}/accounts")["data"]
    assert accounts == [
        {"member": member, "program": "FUEL", "posted": 10, "reserved": 0, "available": 10},
        {"member": member, "program": "CINE", "posted": 20, "reserved": 0, "available": 20},
    ]
    assert site.call("GET", f"/v1/members/{member}/accounts", caller=stranger.id).status_code == 404
    assert len(site.get(f"/v1/members/{member}/accounts", caller="auditor")["data"]) == 3
    assert site.get(f"/v1/members/{member}", caller="operator")["external_id"] is None
