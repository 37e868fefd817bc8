"""What the pages on tiers, tasks, referrals and gifts show can be published as it is, in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from loyalty.gifts.plans import GiftPlan, read_gift_plan
from loyalty.referrals.schemes import ReferralScheme, read_referral_scheme
from loyalty.tasks.goals import GOALS
from loyalty.tasks.tasks import Task, read_task
from loyalty.tiers.schemes import Level, Needs, TierScheme, read_tier_scheme

DOCS = Path(__file__).resolve().parents[3] / "docs"
_PLAN = {"id", "version", "name", "description", "time_zone", "effective"}
"""What every plan has needs no line of its own."""


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def example(text: str) -> str:
    found = re.search(r"^```json\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def told(text: str) -> set[str]:
    """What stands in code in the first columns of the tables."""
    return {
        name
        for line in text.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    }


@pytest.mark.parametrize("folder", ["", "zh/"])
def test_the_scheme_of_the_page_is_one_and_every_field_is_told(folder: str) -> None:
    text = page(f"{folder}loyalty-tiers.md")
    assert read_tier_scheme(example(text)).reached_by == "any"
    assert told(text) >= (set(TierScheme.model_fields) | set(Level.model_fields)) - _PLAN
    for need in Needs.model_fields:
        assert f"`{need}`" in text


@pytest.mark.parametrize("folder", ["", "zh/"])
def test_the_task_of_the_page_is_one_and_every_field_and_goal_is_told(folder: str) -> None:
    text = page(f"{folder}loyalty-tasks.md")
    assert read_task(example(text)).times == 2
    assert told(text) >= set(Task.model_fields) - _PLAN
    assert told(text) >= {goal.model_fields["kind"].default for goal in GOALS}


@pytest.mark.parametrize("folder", ["", "zh/"])
def test_the_plans_of_the_pages_on_referrals_and_gifts_are_some_and_every_field_is_told(folder: str) -> None:
    referrals, gifts = page(f"{folder}loyalty-referrals.md"), page(f"{folder}loyalty-gifts.md")
    assert read_referral_scheme(example(referrals)).most_per_month == 20
    assert told(referrals) >= set(ReferralScheme.model_fields) - _PLAN
    assert read_gift_plan(example(gifts)).birthday is not None
    assert told(gifts) >= set(GiftPlan.model_fields) - _PLAN
