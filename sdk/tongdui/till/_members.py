"""The customers of a file as members: registered by the hundred, each once in a run."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from tongdui._client import Client
from tongdui._errors import APIError, ConflictError, NotFoundError, UnprocessableError
from tongdui._models import Movement

_POINTER = re.compile(r"/external_ids/(\d+)$")


class NotRegistered(NamedTuple):
    """Why a customer cannot be registered."""

    code: str
    detail: str


class Members:
    """Registers customers, and knows who they are.

    Args:
        client: The merchant's client.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: dict[str, NotRegistered | None] = {}
        """Customers that were registered, or why they cannot be."""
        self._ids: dict[str, str | None] = {}
        """Ids of members that were looked up because a movement shows another number of theirs."""

    def register(self, customers: Iterable[str]) -> None:
        """Register customers, or find them. Those that the gateway points at do not hold the others up.

        Args:
            customers: Their numbers. Those that were registered in this run are left out.

        Raises:
            APIError: The gateway refused all of them, for a reason that is none of theirs.
        """
        left = [customer for customer in dict.fromkeys(customers) if customer not in self._known]
        while left:
            try:
                self._client.members.register(left)
                break
            except (ConflictError, UnprocessableError) as error:
                pointed = _pointed(error, len(left))
                if not pointed:
                    raise
                self._known.update({left[index]: NotRegistered(error.code, why) for index, why in pointed.items()})
                left = [customer for index, customer in enumerate(left) if index not in pointed]
        self._known.update(dict.fromkeys(left))

    def refusal(self, customer: str) -> NotRegistered | None:
        """Why a customer could not be registered; None if it is a member."""
        return self._known[customer]

    def is_member(self, movement: Movement, customer: str) -> bool:
        """Whether a movement's member has this number too."""
        if customer not in self._ids:
            try:
                self._ids[customer] = self._client.members.get(f"external:{customer}").id
            except NotFoundError:
                self._ids[customer] = None
        return movement.member is not None and movement.member == self._ids[customer]


def _pointed(error: APIError, size: int) -> dict[int, str]:
    """The customers that an error points at, with what is wrong with them."""
    matches = ((_POINTER.match(field_error.pointer), field_error.detail) for field_error in error.errors)
    return {int(match[1]): detail for match, detail in matches if match and int(match[1]) < size}
