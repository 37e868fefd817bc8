"""What an API key may do, in words."""

from __future__ import annotations

from pages.translations import lazy

SCOPES = {
    "issue": lazy("Issue points"),
    "redeem": lazy("Redeem points"),
    "exchange": lazy("Exchange points"),
    "spend": lazy("Take points for goods"),
    "transfer": lazy("Transfer points between members"),
    "reverse": lazy("Give back"),
    "expire": lazy("Burn expired points"),
    "agree": lazy("Propose, sign and end agreements"),
    "members": lazy("Register and change members"),
    "settle": lazy("See deposits, withdrawals and statements"),
    "webhooks": lazy("Set up webhooks"),
    "read": lazy("Look at everything of the merchant"),
    "keys": lazy("Make other API keys, and revoke them"),
}
ROLES = {
    "merchant": lazy("Merchant"),
    "operator": lazy("Operator"),
    "treasury": lazy("Treasury"),
    "auditor": lazy("Auditor"),
}
ABILITIES = {
    "operator": lazy("Whatever the operator may"),
    "treasury": lazy("Book deposits and withdrawals"),
    "auditor": lazy("Look at everything"),
}
"""What a key may do that belongs to no merchant."""
