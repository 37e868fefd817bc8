"""Rule sets are refused while they are written, and never change once they are published."""

from __future__ import annotations

import json
from typing import Any

from loyalty.earning.rule_sets import write_rule_set
from loyalty.staff.models import Role
from tests.loyalty.earning.programmes import CLASSIC, rule, rule_set
from tests.loyalty.intake.shop import Shop, done, refused


def drafted(shop: Shop, rules: dict[str, Any]) -> Any:
    return shop.api.post("/v1/rule-sets", {"program": "FUEL", "rules": rules}, Role.MARKETING)


def plain(version: int = 2) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(write_rule_set(CLASSIC))
    return found | {"version": version}


def test_every_mistake_is_told_with_its_place(shop: Shop) -> None:
    rules = plain()
    rules["rules"][1]["condition"] = "line.categroy == 'fuel'"
    rules["rules"][0]["effect"]["points"] = 1.5
    answer = drafted(shop, rules)
    said = refused(answer, 422, "bad_rule_set", "/rules/rules/1/condition")
    assert "did you mean line.category?" in said
    refused(answer, 422, "bad_rule_set", "/rules/rules/0/effect/points")


def test_a_rules_id_fits_into_a_document_number(shop: Shop) -> None:
    rules = json.loads(write_rule_set(rule_set(rule("r" * 49, {"kind": "fixed", "points": 1}), version=2)))
    refused(drafted(shop, rules), 422, "bad_rule_set", "/rules/rules/0/id")


def test_a_version_is_written_once(shop: Shop) -> None:
    done(drafted(shop, plain(2)))
    refused(drafted(shop, plain(2)), 409, "version_taken", "/rules/version")


def test_a_set_whose_example_fails_is_not_published(shop: Shop) -> None:
    customer = {"customer": "chen"}
    sale = {
        "station": {"id": "17"},
        "number": "1",
        "business_day": "2026-07-07",
        "time": "2026-07-07T12:00:00+08:00",
        "time_zone": "Asia/Shanghai",
        "customer": "chen",
        "lines": [
            {
                "number": 1,
                "article": "95",
                "category": "fuel",
                "quantity_milli": 40_000,
                "unit": "l",
                "amount_micros": 320_000_000,
            }
        ],
    }
    examples = [{"name": "forty litres", "sale": sale, "customer": customer, "awards": {"litre": 199}}]
    draft = done(drafted(shop, plain() | {"examples": examples}))
    answer = shop.api.post(f"/v1/rule-sets/{draft['id']}/publish", {"reason": "a test"})
    said = refused(answer, 422, "example_failed", "/rules/examples/0")
    assert "200 L-points" in said
    assert done(shop.api.get(f"/v1/rule-sets/{draft['id']}"))["published_at"] is None


def test_publishing_twice_is_publishing_once(shop: Shop) -> None:
    draft = done(drafted(shop, plain()))
    path = f"/v1/rule-sets/{draft['id']}/publish"
    first = done(shop.api.post(path, {"reason": "a test"}))
    assert done(shop.api.post(path, {"reason": "once more"})) == first
    log = done(shop.api.get("/v1/audit-log", subject=draft["id"]))["data"]
    assert [entry["action"] for entry in log] == ["rule_set.published", "rule_set.added"]
