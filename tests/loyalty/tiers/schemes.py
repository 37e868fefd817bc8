"""Tier schemes that the tests share."""

from __future__ import annotations

import json
from typing import Any

from loyalty.tiers.schemes import TierScheme, read_tier_scheme


def plain(**more: Any) -> dict[str, Any]:
    """Three levels by spend and litres in the last thirty days, as JSON."""
    return {
        "id": "club",
        "version": 1,
        "name": {"en": "Club", "zh": "会员"},
        "time_zone": "Asia/Shanghai",
        "effective": {"from": "2026-01-01"},
        "window": {"kind": "rolling", "days": 30},
        "grace_days": 10,
        "levels": [
            {"id": "bronze", "name": {"en": "Bronze", "zh": "青铜"}},
            {
                "id": "silver",
                "name": {"en": "Silver", "zh": "白银"},
                "needs": {"spend_fen": 50_000, "litres": 60},
                "coefficient": 15_000,
                "benefits": [{"en": "a free wash a month", "zh": "每月一次免费洗车"}],
            },
            {
                "id": "gold",
                "name": {"en": "Gold", "zh": "黄金"},
                "needs": {"spend_fen": 200_000},
                "coefficient": 20_000,
            },
        ],
        **more,
    }


def scheme(**more: Any) -> TierScheme:
    """The same, ready to be used."""
    return read_tier_scheme(json.dumps(plain(**more)))
