"""Titles: what a person on a seat is to a merchant or to the network, and so what it may do."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from clearing.parties.access.models import Role
from clearing.parties.access.service import NETWORK_SCOPES, Scope


class Title(StrEnum):
    """A merchant's titles, then the network's own."""

    ADMIN = "admin"
    MANAGER = "manager"
    CASHIER = "cashier"
    ACCOUNTANT = "accountant"
    VIEWER = "viewer"
    OPERATOR = "operator"
    TREASURY = "treasury"
    AUDITOR = "auditor"

    @property
    def role(self) -> Role:
        """The role in which a person with this title calls."""
        return NETWORK.get(self, Role.MERCHANT)

    @property
    def scopes(self) -> frozenset[Scope]:
        """What a person with this title may do for its merchant. What the network's roles may do is fixed, but for `keys`."""
        return SCOPES.get(self, frozenset())


NETWORK: Mapping[Title, Role] = {
    Title.OPERATOR: Role.OPERATOR,
    Title.TREASURY: Role.TREASURY,
    Title.AUDITOR: Role.AUDITOR,
}
"""Titles of the network's own staff."""

SCOPES: Mapping[Title, frozenset[Scope]] = {
    Title.ADMIN: frozenset(Scope),
    Title.MANAGER: frozenset(Scope) - {Scope.WEBHOOKS, Scope.SETTLE, Scope.KEYS},
    Title.CASHIER: frozenset(
        {Scope.REDEEM, Scope.SPEND, Scope.EXCHANGE, Scope.REVERSE, Scope.MEMBERS, Scope.READ},
    ),
    Title.ACCOUNTANT: frozenset({Scope.SETTLE, Scope.READ}),
    Title.VIEWER: frozenset({Scope.READ}),
    Title.OPERATOR: NETWORK_SCOPES,
    Title.TREASURY: NETWORK_SCOPES,
}
"""What each title allows. What else the network's own titles may do is fixed.

A manager runs the shop. What lets somebody else in is the admin's: people, API keys, and webhooks, which carry all events of the
merchant to an address for good. No scope stands for people.
"""

NEEDS_SECOND_FACTOR = frozenset({Title.OPERATOR, Title.TREASURY})
"""Titles whose people move money or let others in: where the network says so, they need a second factor."""
