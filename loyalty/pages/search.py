"""Finds the customer whom somebody means: by what they are known by, or by id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from loyalty.customers.models import IdentifierKind
from loyalty.customers.service import CustomerService, Shown
from loyalty.kit.errors import Unknown
from loyalty.pages.names import KIND_NAMES
from pages.translations import Text, lazy

BY_ID: Final = "id"
KNOWN_BY: Final[Mapping[str, Text]] = {**{kind.value: name for kind, name in KIND_NAMES.items()}, BY_ID: lazy("Id")}
"""By what a customer can be named."""


def find(service: CustomerService, kind: str, value: str) -> str | None:
    """The id of the customer who is meant; None if nobody is known by this. Raises Unknown if there is no such id."""
    if kind == BY_ID:
        return service.get(value).id
    return service.known_by(Shown(IdentifierKind(kind), value))


def find_or_refuse(service: CustomerService, kind: str, value: str) -> str:
    """The id of the customer who is meant. Raises Unknown."""
    found = find(service, kind, value)
    if found is None:
        raise Unknown("nobody_known", "nobody is known by this", pointer="/value")
    return found
