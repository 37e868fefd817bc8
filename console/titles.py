"""What people are to a merchant or in the network, in words."""

from __future__ import annotations

from collections.abc import Mapping

from pages.translations import Text, lazy

MERCHANT_TITLES: Mapping[str, Text] = {
    "admin": lazy("Administrator"),
    "manager": lazy("Manager"),
    "cashier": lazy("Cashier"),
    "accountant": lazy("Accountant"),
    "viewer": lazy("Viewer"),
}
NETWORK_TITLES: Mapping[str, Text] = {
    "operator": lazy("Operator"),
    "treasury": lazy("Treasury"),
    "auditor": lazy("Auditor"),
}
TITLES: Mapping[str, Text] = {**NETWORK_TITLES, **MERCHANT_TITLES}
