"""Whose people a request is about."""

from __future__ import annotations

from clearing.kit.errors import InvalidRequest
from clearing.parties.merchants.service import require_merchant
from gateway.http.context import Call


def place_of(call: Call, merchant: str | None) -> int | None:
    """The number of the merchant whose people they are: the caller's own, or the one that is named; None for the network itself."""
    if merchant is None:
        return call.viewer.merchant_number
    number = require_merchant(call.session, merchant).number
    if not call.viewer.sees(number):
        raise InvalidRequest.of_parameter("merchant", "must be your own merchant; leave it out")
    return number
