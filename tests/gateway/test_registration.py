"""Registering many members at once: each once, in order, all or none."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select

from clearing.parties.members.models import Member
from tests.gateway.site import Party, Site, together
from tongdui import Client, ConflictError

PATH = "/v1/members/register"


def register(fuel: Party, *external_ids: str, **options: Any) -> list[dict[str, Any]]:
    return list(fuel.post(PATH, {"external_ids": external_ids}, **options)["data"])


def members(site: Site) -> int:
    with site.database.session() as session:
        return session.scalar(select(func.count()).select_from(Member)) or 0


def registered(fuel: Party) -> int:
    return len(fuel.get("/v1/events?type=member.registered&limit=200")["data"])


def test_new_and_known_members_come_in_the_order_of_their_numbers(site: Site, fuel: Party) -> None:
    known = fuel.member("order-2")
    before, events = members(site), registered(fuel)
    found = register(fuel, "order-3", "order-2", "ｏｒｄｅｒ-3", "order-1")
    assert [member["external_id"] for member in found] == ["order-3", "order-2", "order-3", "order-1"]
    assert found[1] == fuel.get(f"/v1/members/{known}")
    assert found[0] == found[2] == fuel.get("/v1/members/external:order-3")
    assert members(site) == before + 2
    assert registered(fuel) == events + 2
    assert register(fuel, "order-1", "order-3") == [found[3], found[0]]
    assert members(site) == before + 2


def test_a_key_has_one_answer(site: Site, fuel: Party) -> None:
    first = register(fuel, "key-1", "key-2", key="register-once")
    assert register(fuel, "key-1", "key-2", key="register-once") == first


def test_a_retired_number_is_named_and_nobody_is_registered(site: Site, fuel: Party) -> None:
    member = fuel.member("kept")
    fuel.post(f"/v1/members/{member}/external_ids", {"external_id": "lost"})
    assert site.call("DELETE", f"/v1/members/{member}/external_ids/lost", caller=fuel.id).status_code == 200
    before = members(site)
    problem = fuel.refused(PATH, {"external_ids": ["new", "lost", "kept", "lost"]}, "external_id_retired", 409)
    assert [error["pointer"] for error in problem["errors"]] == ["/external_ids/1", "/external_ids/3"]
    assert members(site) == before


@pytest.mark.parametrize(
    ("external_ids", "pointer"),
    [
        ([], "/external_ids"),
        (["x"] * 501, "/external_ids"),
        (["ok", "\u200b"], "/external_ids/1"),
        (["y" * 129], "/external_ids/0"),
    ],
)
def test_a_wrong_number_is_named(fuel: Party, external_ids: list[str], pointer: str) -> None:
    problem = fuel.refused(PATH, {"external_ids": external_ids}, "validation_failed")
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


def test_at_the_same_moment_each_member_is_registered_once(site: Site, fuel: Party) -> None:
    numbers = [f"race-{n}" for n in range(60)]
    before, events = members(site), registered(fuel)

    def one(index: int) -> list[dict[str, Any]]:
        if index % 2:
            return register(fuel, *(numbers if index % 4 == 1 else numbers[::-1]))
        return [fuel.post("/v1/members", {"external_id": number}) for number in numbers[index::8]]

    answers = [member for answer in together(8, one) for member in answer]
    assert members(site) == before + len(numbers)
    assert registered(fuel) == events + len(numbers)
    assert len({(member["external_id"], member["id"]) for member in answers}) == len(numbers)


def test_many_take_no_more_statements_than_few(site: Site, fuel: Party) -> None:
    def statements(*numbers: str) -> int:
        with site.statements() as seen:
            register(fuel, *numbers)
        return len(seen)

    few = statements(*(f"few-{n}" for n in range(2)))
    assert statements(*(f"many-{n}" for n in range(500))) == few


def test_the_sdk_registers_any_number(site: Site, fuel: Party) -> None:
    numbers = [f"sdk-{n}" for n in range(501)]
    with Client(str(site.http.base_url), site.keys[fuel.id]) as client:
        found = client.members.register(numbers)
        assert [member.external_id for member in found] == numbers
        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(client.members.register, [numbers, numbers])) == [found, found]
        assert client._submitter.directory.known_address("external:sdk-500") == found[500].address
        client.members.add_external_id(found[0], "sdk-0-new")
        client.members.retire_external_id(found[0], "sdk-0")
        with pytest.raises(ConflictError) as refused:
            client.members.register(numbers[:2])
        assert refused.value.code == "external_id_retired"
        with pytest.raises(TypeError, match="a list of external ids"):
            client.members.register("sdk-0")
