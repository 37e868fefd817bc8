"""The filters of the audit log. They live in the address."""

from __future__ import annotations

from collections.abc import Mapping

from pages.filters import Filters, read_filters

_LONGEST = {"actor": 40, "type": 64, "subject": 66}
"""Filters by a text, and how long the gateway lets it be."""


def filters_of(parameters: Mapping[str, str]) -> Filters:
    """The filters in an address."""
    return read_filters(parameters, texts=_LONGEST, days=True)
