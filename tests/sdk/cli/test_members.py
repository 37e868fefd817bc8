"""balance and members, against a real gateway."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gateway.site import Party, Site
from tests.sdk.cli.conftest import Terminal
from tongdui._cli._output import Output


@pytest.fixture(scope="module")
def party(site: Site) -> Party:
    merchant = site.merchant("Gas", program="FUEL")
    for number in range(3):
        site.give(merchant.member(f"FC-100{number}"), "FUEL", 12_345)
    return merchant


@pytest.fixture
def own(party: Party, tongdui: Terminal, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TONGDUI_URL", str(party.site.http.base_url))
    monkeypatch.setenv("TONGDUI_API_KEY", party.site.keys[party.id])
    return tongdui


def test_balance(own: Terminal) -> None:
    rows = own.good("balance", "FC-1001").out.splitlines()
    assert [line.split() for line in rows] == [
        ["program", "available", "reserved", "posted"],
        ["FUEL", "12,345", "0", "12,345"],
    ]
    assert own.good("balance", "external:FC-1001", "--json").json[0]["available"] == 12_345
    unknown = own("balance", "FC-9999")
    assert (unknown.code, unknown.out) == (2, "")
    assert unknown.err.startswith("tongdui: not_found (404): merchant Gas knows no member external:FC-9999")


def test_balance_at_the_end_of_a_day(own: Terminal, party: Party, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = own.good("balance", "FC-1001", "--as-of", "2026-01-31")
    assert [line.split() for line in shown.out.splitlines()] == [["program", "posted"], ["FUEL", "0"]]
    assert "the chain began after 2026-01-31" in shown.err
    later = own("balance", "FC-1001", "--as-of", "2999-01-01")
    assert later.code == 2
    assert "must be a day of the network that is over" in later.err
    assert own("balance", "FC-1001", "--as-of", "yesterday").code == 2
    address = party.get("/v1/members/external:FC-1001")["address"]
    monkeypatch.setenv("TONGDUI_API_KEY", party.site.keys["auditor"])
    assert own.good("balance", address, "--json").json[0]["posted"] == 12_345
    assert own.good("balance", address, "--as-of", "2026-01-31", "--json").json[0]["final"] is False


def test_members_are_listed_and_searched(own: Terminal) -> None:
    numbers = [member["external_ids"] for member in own.good("members", "list", "--json").json]
    assert numbers == [["FC-1002"], ["FC-1001"], ["FC-1000"]]
    assert len(own.good("members", "list", "--limit", "2", "--json").json) == 2
    assert "--limit shows more" in own.good("members", "list", "--limit", "2").err
    assert [m["external_id"] for m in own.good("members", "search", "FC-1001", "--json").json] == ["FC-1001"]
    assert own.good("members", "search", "none", "--json").json == []
    assert own("members", "list", "--state", "asleep").code == 2


def test_a_member_is_registered_once_and_shown(own: Terminal) -> None:
    made = own.good("members", "create", "FC-2000", "--json").json
    assert own.good("members", "create", "external:FC-2000", "--json").json["id"] == made["id"]
    shown = own.good("members", "show", "FC-2000", "--json").json
    assert (shown["id"], shown["accounts"]) == (made["id"], [])
    printed = own.good("members", "show", made["id"]).out
    assert "your numbers  FC-2000" in printed
    assert f"{made['id']} has no points" in printed
    assert own("members", "show", "mem_none").code == 2
    assert own("members", "create", "").code == 2


def test_a_code_is_made_for_another_merchant(own: Terminal) -> None:
    code = own.good("members", "code", "50", "FC-1000", "--program", "FUEL", "--json").json
    assert (code["points"], code["program"], code["state"]) == (50, "FUEL", "live")
    assert own.good("members", "code", "50", "FC-1000").out.splitlines()[0].replace("-", "").isalnum()
    assert "FUELS: did you mean FUEL?" in own("members", "code", "50", "FC-1000", "--program", "FUELS").err


def test_names_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """The gateway takes no such names; whoever pretends to be a gateway may send them."""
    Output(as_json=False).lines("lost \x1b[31mcard\r", "通兑")
    Output(as_json=False).table(["name"], [["\x1b]0;title\x07"]])
    assert capsys.readouterr().out == "lost \\x1b[31mcard\\r\n通兑\nname            \n\\x1b]0;title\\x07\n"


def test_entries_are_exported_to_a_file_or_to_standard_output(own: Terminal, party: Party, tmp_path: Path) -> None:
    shown = own.good("entries", "export", "--from", "2026-01-01")
    head = shown.out.splitlines()[0]
    assert head.startswith("batch,index,block,transaction,time,day,kind,merchant")
    path = tmp_path / "entries.csv"
    assert "0 entries in" in own.good("entries", "export", "--output", str(path)).out
    assert path.read_bytes().decode().splitlines() == [head]
    assert own.good("entries", "export", "--output", str(path), "--json").json == {"file": str(path), "entries": 0}
    assert own("entries", "export", "--merchant", "mer_nobody").code == 2
    assert own("entries", "export", "--from", "soon").code == 2
    assert own("entries", "export", "--output", str(tmp_path / "no" / "such.csv")).code == 2
