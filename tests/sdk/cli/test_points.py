"""Commands that move points, against a real network."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from itertools import count
from pathlib import Path

import pytest

from clearing.ordering.orders.models import OrderState
from tests.gateway.site import Site, later, until
from tests.sdk.cli.conftest import COMMAND, PASSWORD, Place, Terminal
from tests.sdk.cli.cut_line import CutLine
from tongdui import Client

_numbers = count(1)


@pytest.fixture
def card(place: Place) -> str:
    """The number of a member whom the station and the shop know, with 1,000 points of each."""
    number = f"FC-{next(_numbers):04}"
    station = place.station.client
    station.members.create(external_id=number)
    station.issuances.create(program="FUEL", member=f"external:{number}", points=1_000, wait=60).settled()
    with Client(place.network.url, place.shop_key) as shop:
        code = station.members.create_link_code(f"external:{number}")
        shop.members.create(external_id=number, link_code=code.code)
        shop.issuances.create(program="SHOP", member=f"external:{number}", points=1_000, wait=60).settled()
    return number


def shop_points(as_shop: Terminal, card: str) -> int:
    accounts = as_shop.good("balance", card, "--json").json
    return int({account["program"]: account["available"] for account in accounts}["SHOP"])


def test_issue_says_what_moved(as_shop: Terminal, card: str) -> None:
    printed = as_shop.good("issue", "200", card, "--program", "SHOP", "--reference", f"sale {card}").out
    assert printed.startswith(f"issued 200 points of SHOP to external:{card}\n  movement     iss_")
    for line in ("  state        settled", f"  reference    sale {card}", "  block        ", "  transaction  0x"):
        assert line in printed


def test_issue_signs_with_the_keystore(as_station: Terminal, card: str) -> None:
    moved = as_station.good("issue", "200", f"external:{card}", "--program", "FUEL", "--json").json
    assert (moved["state"], moved["points"], moved["external_id"]) == ("settled", 200, card)
    assert as_station.good("balance", card, "--json").json[0]["available"] == 1_200


def test_the_same_key_again_moves_nothing_twice(as_station: Terminal, card: str) -> None:
    """Each command is a process of its own: only the file of nonces lets the second one sign the same order."""
    again = ["issue", "7", card, "--program", "FUEL", "--idempotency-key", f"once-{card}", "--json"]
    first, second = as_station.good(*again).json, as_station.good(*again).json
    assert first["id"] == second["id"]
    assert as_station.good("balance", card, "--json").json[0]["available"] == 1_007


def test_redeem_and_what_is_refused(as_shop: Terminal, card: str) -> None:
    assert "redeemed 95 points of SHOP" in as_shop.good("redeem", "95", card, "--program", "SHOP").out
    refused = as_shop("redeem", "5000", card, "--program", "SHOP")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith("tongdui: insufficient_points (422): ")
    problem = as_shop("redeem", "5000", card, "--program", "SHOP", "--json").problem
    assert (problem["code"], problem["status"], problem["exit_code"]) == ("insufficient_points", 422, 1)
    assert problem["type"].startswith("http")


def test_a_dry_run_moves_nothing(as_shop: Terminal, card: str) -> None:
    tried = as_shop.good("redeem", "95", card, "--program", "SHOP", "--dry-run", "--json").json
    assert (tried["dry_run"], tried["outcomes"][0]["points"]) == (True, 95)
    assert "nothing moved" in as_shop.good("redeem", "95", card, "--program", "SHOP", "--dry-run").out
    assert as_shop("redeem", "5000", card, "--program", "SHOP", "--dry-run").code == 1
    assert shop_points(as_shop, card) == 1_000


def test_quote_and_exchange(as_station: Terminal, place: Place, card: str) -> None:
    quoted = as_station.good("quote", "200", card, "--from", "FUEL", "--to", "CINE")
    assert "out         180" in quoted.out
    assert "to pay      1.80 CNY" in quoted.out
    assert "fee         0.009 CNY" in quoted.out
    moved = as_station.good("exchange", "105", card, "--from", "FUEL", "--to", "CINE")
    assert (
        f"exchanged 104 points of FUEL from external:{card} for 93 points of CINE" in moved.out or "for 94" in moved.out
    )
    assert "  paid " in moved.out
    assert "  fee " in moved.out
    assert as_station("exchange", "105", card).code == 2


def test_spend_with_a_members_code(
    as_station: Terminal, place: Place, card: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code = as_station.good("members", "code", "300", card, "--program", "FUEL", "--json").json["code"]
    monkeypatch.setenv("TONGDUI_API_KEY", place.wash.api_key)
    monkeypatch.setenv("TONGDUI_KEYSTORE", str(place.wash.signer.save_keystore(tmp_path / "wash.json", PASSWORD)))
    assert as_station("spend", "50", "--program", "FUEL").code == 2
    assert as_station("spend", "50", card, "--code", code, "--program", "FUEL").code == 2
    spent = as_station.good("spend", "50", "--code", code, "--program", "FUEL")
    assert spent.out.startswith("spent 50 points of FUEL")
    assert "  paid         0.50 CNY" in spent.out
    assert as_station("spend", "50", "--code", code, "--program", "FUEL").code == 1


def test_spend_of_a_member_of_ones_own(as_station: Terminal, place: Place, card: str) -> None:
    spent = as_station.good("spend", "50", card, "--program", "FUEL", "--at", place.wash.merchant.id, "--json").json
    assert (spent["object"], spent["state"]) == ("spend", "settled")


def test_transfer(as_station: Terminal, card: str) -> None:
    as_station.good("members", "create", f"{card}-child")
    moved = as_station.good("transfer", "30", card, f"{card}-child", "--program", "FUEL")
    assert moved.out.startswith(f"moved 30 points of FUEL from external:{card} to mem_")
    assert as_station("transfer", "30", card, card, "--program", "FUEL").code == 2


def test_reverse_by_reference_and_by_id(as_station: Terminal, card: str) -> None:
    sale = as_station.good("issue", "100", card, "--program", "FUEL", "--reference", f"r-{card}", "--json").json
    undone = as_station.good("reverse", "--reference", f"r-{card}", "--points", "20", "--own-reference", f"back-{card}")
    assert undone.out.startswith(f"undid 20 points of {sale['id']}")
    assert f"reference    back-{card}" in undone.out
    rest = as_station.good("reverse", sale["id"], "--json").json
    assert rest["points"] == 80
    assert as_station("reverse", sale["id"]).code != 0
    both = as_station("reverse", sale["id"], "--reference", f"r-{card}")
    assert (both.code, "either MOVEMENT" in both.err) == (2, True)
    assert as_station("reverse").code == 2


def test_no_wait_returns_what_was_accepted(as_shop: Terminal, card: str) -> None:
    accepted = as_shop.good("issue", "5", card, "--program", "SHOP", "--no-wait", "--json").json
    assert accepted["state"] in {"accepted", "submitted", "settled"}
    assert as_shop.good("get", f"/v1/movements/{accepted['id']}", "--json").json["id"] == accepted["id"]


def test_a_mistyped_program_is_suggested(as_shop: Terminal, card: str) -> None:
    wrong = as_shop("issue", "5", card, "--program", "SHPO")
    assert wrong.code == 2
    assert "SHPO: did you mean SHOP?" in wrong.err
    assert as_shop("issue", "5", card, "--program", "shop", "--json").problem["hints"] == ["shop: did you mean SHOP?"]
    assert "the programs are CINE, FUEL, SHOP" in as_shop("issue", "5", card, "--program", "ZZZZ").err


@pytest.mark.parametrize("points", ["1.5", "0", "many", "1e3", "１２"])
def test_only_whole_points_are_taken(tongdui: Terminal, points: str) -> None:
    wrong = tongdui("issue", points, "FC-1", "--program", "FUEL", "--json")
    assert (wrong.code, wrong.out) == (2, "")
    assert "whole number of points" in wrong.problem["detail"]


@pytest.mark.parametrize("points", ["99999999999999999999", "18446744073709551616"])
def test_more_points_than_the_chain_can_hold_are_named(tongdui: Terminal, points: str) -> None:
    wrong = tongdui("issue", points, "FC-1", "--program", "FUEL", "--json")
    assert (wrong.code, wrong.out) == (2, "")
    assert "more points than there can be" in wrong.problem["detail"]


def test_no_answer_names_the_key_to_run_again_with(
    as_shop: Terminal, place: Place, card: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is lost on its way: the command may not know that the order was accepted, but its key does."""
    with CutLine(place.network.url, answers_to_lose=5) as line:
        monkeypatch.setenv("TONGDUI_URL", line.url)
        failed = as_shop("issue", "5", card, "--program", "SHOP")
    assert failed.code == 2
    key = re.search(r"it may have been accepted: run the same command with `--idempotency-key (\S+)`", failed.err)
    assert key is not None, failed.err
    monkeypatch.setenv("TONGDUI_URL", place.network.url)
    as_shop.good("issue", "5", card, "--program", "SHOP", "--idempotency-key", key[1])
    assert shop_points(as_shop, card) == 1_005


def test_ctrl_c_says_that_what_was_accepted_stays(site: Site) -> None:
    """Nothing ever settles at this gateway, so the command waits until it is interrupted."""
    party = site.merchant(program="WAIT")
    party.member("FC-1")
    settings = {"TONGDUI_URL": str(site.http.base_url), "TONGDUI_API_KEY": site.keys[party.id]}
    command = [*COMMAND, "issue", "5", "FC-1", "--program", "WAIT", "--idempotency-key", "k-1"]
    with subprocess.Popen(command, env={**os.environ, **settings}, stderr=subprocess.PIPE, text=True) as running:
        until(lambda: party.get("/v1/issuances")["data"])
        time.sleep(0.5)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=60)
    assert (running.returncode, len(party.get("/v1/issuances")["data"])) == (2, 1)
    assert err.startswith("tongdui: interrupted; what was accepted stays\n  it may have been accepted: run the same")
    assert "--idempotency-key k-1" in err


def test_what_the_chain_has_not_decided_in_time_needs_attention(
    site: Site, tongdui: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    party = site.merchant(program="LATE")
    party.member("FC-1")
    monkeypatch.setenv("TONGDUI_URL", str(site.http.base_url))
    monkeypatch.setenv("TONGDUI_API_KEY", site.keys[party.id])
    waited = tongdui("issue", "5", "FC-1", "--program", "LATE", "--timeout", "1")
    assert waited.code == 1
    assert waited.out.startswith("accepted, not settled yet: issued 5 points of LATE")
    assert "see `tongdui get /v1/movements/iss_" in waited.err


def test_what_the_chain_rejects_is_a_bad_outcome(
    site: Site, tongdui: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    party = site.merchant(program="STOP")
    party.member("FC-1")
    monkeypatch.setenv("TONGDUI_URL", str(site.http.base_url))
    monkeypatch.setenv("TONGDUI_API_KEY", site.keys[party.id])

    def reject() -> None:
        site.finish(party.get("/v1/issuances")["data"][0]["order"], OrderState.REJECTED, "program_paused")

    with later(lambda: party.get("/v1/issuances")["data"], reject):
        rejected = tongdui("issue", "6", "FC-1", "--program", "STOP")
    assert rejected.code == 1
    assert rejected.out.startswith("nothing moved: the chain has rejected the issuance: program_paused")


def test_json_is_one_document(as_shop: Terminal, card: str) -> None:
    printed = as_shop.good("issue", "5", card, "--program", "SHOP", "--json").out
    assert printed.count("\n") == 1
    assert "\x1b" not in printed
    assert json.loads(printed)["object"] == "issuance"
