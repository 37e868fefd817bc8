"""A process may die at the commit of a correction or of a device's event: the repeated request has one effect, and one answer."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import Any

import httpx
import pytest

from loyalty.staff.models import Role
from tests.loyalty.fills.forecourt import Forecourt, given
from tests.loyalty.intake.shop import DAY, Shop, done, fuel
from tests.loyalty.nightly import on_postgresql_by_day

BOTH = pytest.mark.parametrize("when", ["before", "after"])


def died(shop: Shop, when: str, secret: str, key: str, path: str, body: dict[str, Any]) -> None:
    """Sends a request to a process that is killed at its commit."""
    command = [sys.executable, "-m", "tests.loyalty.dying_request", shop.api.database.url, when, secret, key, path]
    dead = subprocess.run([*command, json.dumps(body)], capture_output=True, text=True, timeout=300, check=False)
    assert dead.returncode == -signal.SIGKILL, dead.stderr


def again(shop: Shop, secret: str, key: str, path: str, body: dict[str, Any]) -> httpx.Response:
    """Sends it once more, as whoever got no answer does: byte for byte."""
    headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": key, "Content-Type": "application/json"}
    return shop.api.http.post(path, content=json.dumps(body), headers=headers)


@on_postgresql_by_day
@BOTH
def test_a_correction(forecourt: Forecourt, when: str) -> None:
    shop = forecourt.shop
    customer = shop.customer()
    wrong = shop.sell(fuel(40), customer=customer)
    right = shop.sale(fuel(30), number="right", customer=customer)
    named = {name: wrong[name] for name in ("business_day", "till", "number")}
    body = {"station": right.pop("station"), "reason": "40 for 30", "wrong": named, "right": right}
    sent = shop.api.secrets[Role.CASHIER], "correction", "/v1/corrections", body
    died(shop, when, *sent)
    assert (shop.seen(wrong)["replaced_by"] is None) == (when == "before")
    answer = again(shop, *sent)
    assert answer.headers.get("Idempotent-Replayed") == (None if when == "before" else "true")
    correction = done(answer)
    assert done(again(shop, sent[0], "another-key", *sent[2:]))["id"] == correction["id"]
    assert shop.seen(wrong)["replaced_by"] == correction["right"]
    assert [sale["number"] for sale in forecourt.sales()] == ["right"]
    assert len(done(shop.api.get("/v1/corrections"))["data"]) == 1
    left = [award["points"] - award["taken_back"] for award in shop.seen(wrong)["awards"]]
    assert left == [0] * len(left)
    assert left


@on_postgresql_by_day
@BOTH
@pytest.mark.parametrize("kind", ["started", "done"])
def test_an_event_of_a_device(forecourt: Forecourt, when: str, kind: str) -> None:
    pump = forecourt.pump()
    event = {"number": "1", "kind": kind, "time": f"{DAY}T12:00:00+08:00", "fill": "118"}
    body = event if kind == "started" else event | given()
    sent = pump.secret, "event", "/v1/devices/events", body
    died(forecourt.shop, when, *sent)
    assert len(forecourt.fills()) == (0 if when == "before" else 1)
    answer = again(forecourt.shop, *sent)
    assert answer.headers.get("Idempotent-Replayed") == (None if when == "before" else "true")
    kept = done(answer)
    assert done(again(forecourt.shop, sent[0], "another-key", *sent[2:]))["id"] == kept["id"]
    assert len(forecourt.fills()) == 1
    assert len(forecourt.sales()) == (0 if kind == "started" else 1)
