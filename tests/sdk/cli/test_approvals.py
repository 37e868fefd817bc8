"""approvals, deposit, withdrawal, credit-limit, join: two persons at their terminals, and a merchant that comes on board."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.sdk.cli.conftest import Place, Terminal
from tongdui import Client, yuan


@pytest.fixture
def as_role(tongdui: Terminal, place: Place, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs a command with the key of a role of the network."""
    monkeypatch.setenv("TONGDUI_URL", place.network.url)

    def run(role: str, *arguments: str) -> Any:
        monkeypatch.setenv("TONGDUI_API_KEY", place.network.api_keys[role])
        return tongdui(*arguments)

    return run


def test_what_the_treasury_asks_the_operator_approves(place: Place, as_role: Callable[..., Any]) -> None:
    wash = place.wash.merchant.id
    before = place.network.operator.positions.get(wash).position_micros
    booking = ("deposit", wash, "12.50", "--reference", "CLI-1", "--reason", "line 14", "--json")
    asked = as_role("treasury", *booking).json
    assert (asked["state"], asked["change"]["micros"], asked["reason"]) == ("requested", yuan("12.50"), "line 14")
    refused = as_role("treasury", "approvals", "approve", asked["id"])
    assert (refused.code, "second_person_required" in refused.err) == (2, True)
    assert asked["id"] in as_role("operator", "approvals", "list").out
    shown = as_role("operator", "approvals", "show", asked["id"]).out
    assert "line 14" in shown
    assert "position micros before" in shown
    done = as_role("operator", "approvals", "approve", asked["id"], "--json").json
    assert (done["state"], done["is_pending"]) == ("approved", False)
    assert place.network.operator.positions.get(wash).position_micros == before + yuan("12.50")
    limit = as_role("operator", "credit-limit", wash, "5", "--reason", "trial", "--json").json
    declined = as_role("treasury", "approvals", "decline", limit["id"], "--reason", "too early", "--json").json
    assert (declined["state"], declined["decision_reason"]) == ("declined", "too early")
    out = as_role("treasury", "withdrawal", wash, "1", "--reference", "CLI-2", "--reason", "letter", "--json").json
    assert as_role("treasury", "approvals", "withdraw", out["id"], "--json").json["state"] == "withdrawn"
    assert as_role("treasury", "deposit", wash, "1,5", "--reference", "x", "--reason", "x").code == 2


def test_a_merchant_joins_with_the_link_and_the_code(
    tongdui: Terminal, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = place.network
    merchant = network.operator.merchants.create(name="Joins", managed_key=True, wait=60)
    asked = network.operator.invitations.request(
        email="it@joins.example", title="admin", merchant=merchant, reason="signed the contract"
    )
    link = str(network.treasury.approvals.approve(asked).link)
    monkeypatch.delenv("TONGDUI_URL", raising=False)
    assert tongdui("join", link).code == 2
    refused = tongdui("join", link, "--url", network.url)
    assert (refused.code, "invitation_code_wrong" in refused.err) == (1, True)
    joined = (
        "join",
        link,
        "--code",
        str(asked.code),
        "--url",
        network.url,
        "--name",
        "server",
        "--scopes",
        "read,members",
    )
    made = tongdui.good(*joined, "--json").json
    assert (made["merchant"], made["scopes"], made["name"]) == (merchant.id, ["members", "read"], "server")
    with Client(network.url, made["secret"]) as client:
        assert client.merchants.get(merchant.id).name == "Joins"
    assert "invitation_used" in tongdui(*joined).err
