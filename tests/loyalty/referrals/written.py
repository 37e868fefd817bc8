"""Referral schemes that the tests share."""

from __future__ import annotations

from typing import Any


def plain(**more: Any) -> dict[str, Any]:
    """A scheme as JSON: fuel counts, and a second fill within three months."""
    return {
        "id": "bring-a-friend",
        "version": 1,
        "name": {"en": "Bring a friend", "zh": "带朋友"},
        "time_zone": "Asia/Shanghai",
        "effective": {"from": "2026-01-01"},
        "condition": "line.category == 'fuel'",
        "newcomer_points": 100,
        "referrer_points": 200,
        "again": {"points": 300, "visits": 2, "months": 3},
        **more,
    }
