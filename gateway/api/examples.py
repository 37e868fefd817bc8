"""Bodies of requests that can be sent as they stand, to a network that contains what they name; and ids for the paths.

A test builds that network and sends them all. A route with a body needs one here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clearing.kit.fields import EXAMPLE_ULID
from clearing.ordering.orders.kinds import KINDS

MEMBER = "external:8620017"
MERCHANT = f"mer_{EXAMPLE_ULID}"
ACCEPTOR = f"mer_{EXAMPLE_ULID[:-1]}5"
RECIPIENT = "external:8620019"
AGREEMENT = f"agr_{EXAMPLE_ULID}"
HOLD = f"hld_{EXAMPLE_ULID}"
ENDPOINT = f"whe_{EXAMPLE_ULID}"

_EXCHANGE = {"source_program": "FUEL", "target_program": "CINE"}

MOVEMENTS: Mapping[str, dict[str, Any]] = {
    "issue": {"program": "FUEL", "member": MEMBER, "points": 250, "reference": "receipt-1001"},
    "redeem": {"program": "FUEL", "member": MEMBER, "points": 95, "reference": "sale-1001"},
    "exchange": {**_EXCHANGE, "member": MEMBER, "points": 1_000, "reference": "seat-1001"},
    "spend": {
        "program": "FUEL",
        "target_merchant": ACCEPTOR,
        "member": MEMBER,
        "points": 1_000,
        "reference": "wash-1001",
    },
    "transfer": {"program": "FUEL", "member": MEMBER, "recipient": RECIPIENT, "points": 300, "reference": "gift-1001"},
    "reverse": {"original_reference": "sale-0001", "points": 20, "reference": "return-1001"},
    "expire": {"program": "FUEL", "member": MEMBER, "points": 40},
}
"""A request of each kind, by its label."""

_TOKEN = f"{{}}_{EXAMPLE_ULID}_" + "5f" * 32

BODIES: Mapping[tuple[str, str], dict[str, Any]] = {
    ("POST", "/v1/merchants"): {"name": "Blue Wash", "managed_key": True},
    ("POST", "/v1/merchants/{merchant}/credit_limit"): {
        "credit_limit_micros": 2_000_000_000_000,
        "reason": "the bank guarantee of 20 November covers it",
    },
    ("POST", "/v1/programs"): {
        "merchant": MERCHANT,
        "code": "WASH",
        "name": "Blue Wash points",
        "default_lifetime_days": 365,
    },
    ("POST", "/v1/members"): {"external_id": "8620018"},
    ("POST", "/v1/members/register"): {"external_ids": ["8620017", "8620022", "8620023"]},
    ("POST", "/v1/members/lookup"): {"members": ["external:8620017", "external:8620022"]},
    ("POST", "/v1/members/{member}/external_ids"): {"external_id": "8620017-2"},
    ("POST", "/v1/members/{member}/freeze"): {"reason": "card reported stolen"},
    ("POST", "/v1/members/{member}/erase"): {"forfeit_points": True},
    ("POST", "/v1/merges"): {"member": "external:8620020", "into": "external:8620021"},
    ("POST", "/v1/merges/{merge}/transfers"): {
        "program": "FUEL",
        "points": 100,
        "reference": f"mrg_{EXAMPLE_ULID}-1",
    },
    ("POST", "/v1/members/{member}/codes"): {"points": 1_000, "program": "FUEL", "expires_in": 300},
    ("POST", "/v1/member_codes/lookup"): {"member_code": "K7Q2M-9XD4R", "program": "FUEL", "points": 1_000},
    ("POST", "/v1/agreements"): {
        "kind": "exchange",
        **_EXCHANGE,
        "rate_num": 9,
        "rate_den": 10,
        "unit_price_micros": 10_000,
        "fee_bps": 50,
        "lifetime_days": 365,
        "max_points": 5_000,
        "daily_cap": 100_000,
        "valid_until": "2040-01-01T00:00:00Z",
    },
    ("POST", "/v1/agreements/preview"): {
        "kind": "exchange",
        **_EXCHANGE,
        "points": 1_000,
        "rate_num": 9,
        "rate_den": 10,
        "unit_price_micros": 10_000,
        "fee_bps": 50,
    },
    ("POST", "/v1/agreements/{agreement}/signatures"): {},
    ("POST", "/v1/agreements/{agreement}/termination"): {"effective_at": "2039-12-01T00:00:00Z"},
    ("POST", "/v1/quotes"): {**_EXCHANGE, "points": 1_000, "member": MEMBER},
    ("POST", "/v1/nonces"): {"count": 20},
    **{("POST", f"/v1/{kind.collection}"): MOVEMENTS[kind.label] for kind in KINDS},
    ("POST", "/v1/movements/lookup"): {"kind": "redeem", "references": ["sale-0001", "sale-0002"]},
    ("POST", "/v1/orders"): {
        "instructions": [
            {"kind": "issue", "program": "FUEL", "member": MEMBER, "points": 250, "reference": "receipt-2001"},
            {"kind": "redeem", "program": "FUEL", "member": MEMBER, "points": 95, "reference": "sale-2001"},
        ]
    },
    ("POST", "/v1/holds"): {
        "program": "FUEL",
        "member": MEMBER,
        "points": 600,
        "expires_in": 900,
        "reference": "pump-3",
    },
    ("POST", "/v1/holds/{hold}/capture"): {"kind": "redeem", "points": 425, "reference": "sale-3001"},
    ("POST", "/v1/deposits"): {
        "merchant": MERCHANT,
        "micros": 500_000_000,
        "bank_reference": "BANK-2026-1001",
        "reason": "bank statement of 26 November, line 14",
    },
    ("POST", "/v1/withdrawals"): {
        "merchant": MERCHANT,
        "micros": 1_000_000,
        "bank_reference": "BANK-2026-1002",
        "reason": "the merchant's letter of 25 November",
    },
    ("POST", "/v1/approvals/{approval}/decline"): {"reason": "line 14 of the statement has another amount"},
    ("POST", "/v1/webhook_endpoints"): {
        "url": "https://partner.example/tongdui",
        "types": ["order.*", "hold.expired"],
        "description": "the till's server",
    },
    ("PATCH", "/v1/webhook_endpoints/{endpoint}"): {"types": ["order.settled"]},
    ("POST", "/v1/webhook_endpoints/{endpoint}/replay"): {"since": "2026-11-01T00:00:00Z"},
    ("POST", "/v1/sessions"): {"email": "li@partner.example", "password": "correct-horse-battery"},
    ("POST", "/v1/sessions/oidc"): {"code": "SplxlOBeZQQYbYS6WxSbIA", "state": "af0ifjsldkj.1799999999.5f3a"},
    ("POST", "/v1/sessions/current/seat"): {"seat": f"sea_{EXAMPLE_ULID}"},
    ("POST", "/v1/operations/pause"): {"reason": "a new node takes over"},
    ("PATCH", "/v1/profile"): {"name": "Li Na", "language": "zh"},
    ("POST", "/v1/profile/password"): {
        "password": "correct-horse-battery",
        "new_password": "four-random-words-help",
    },
    ("POST", "/v1/profile/totp"): {"password": "correct-horse-battery"},
    ("POST", "/v1/profile/totp/confirm"): {"one_time_code": "492039"},
    ("POST", "/v1/profile/totp/remove"): {"password": "correct-horse-battery"},
    ("POST", "/v1/profile/recovery_codes"): {"password": "correct-horse-battery"},
    ("PATCH", "/v1/staff/seats/{seat}"): {"title": "manager"},
    ("POST", "/v1/invitations"): {"email": "wang@partner.example", "title": "cashier", "name": "Wang Wei"},
    ("POST", "/v1/invitations/lookup"): {"token": _TOKEN.format("tdi")},
    ("POST", "/v1/invitations/accept"): {
        "token": _TOKEN.format("tdi"),
        "name": "Wang Wei",
        "password": "four-random-words-help",
    },
    ("POST", "/v1/invitations/redeem"): {
        "token": _TOKEN.format("tdi"),
        "code": "mfrggz-dfmztw-q2lknn-wg23tp",
        "scopes": ["issue", "redeem", "members", "read"],
        "name": "the till's server",
    },
    ("POST", "/v1/staff/{person}/enable"): {"reason": "back from leave"},
    ("POST", "/v1/password_resets"): {"email": "li@partner.example"},
    ("POST", "/v1/password_resets/perform"): {
        "token": _TOKEN.format("tdr"),
        "password": "four-random-words-help",
    },
    ("POST", "/v1/api_keys"): {"role": "merchant", "scopes": ["issue", "redeem", "read"]},
}
"""The body of each route that has one."""

PATHS: Mapping[str, str] = {
    "member": MEMBER,
    "merchant": MERCHANT,
    "program": "FUEL",
    "agreement": AGREEMENT,
    "hold": HOLD,
    "merge": f"mrg_{EXAMPLE_ULID}",
    "code": f"cod_{EXAMPLE_ULID}",
    "endpoint": ENDPOINT,
    "event": f"evt_{EXAMPLE_ULID}",
    "leaf": "0x" + "5f" * 32,
    "batch": "1",
    "order": f"ord_{EXAMPLE_ULID}",
    "statement": f"stm_{EXAMPLE_ULID}",
    "api_key": f"key_{EXAMPLE_ULID}",
    "session": f"ses_{EXAMPLE_ULID}",
    "seat": f"sea_{EXAMPLE_ULID}",
    "person": f"stf_{EXAMPLE_ULID}",
    "invitation": f"inv_{EXAMPLE_ULID}",
    "approval": f"apr_{EXAMPLE_ULID}",
}
"""An id for each parameter of a path, by its name."""
