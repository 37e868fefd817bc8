"""Tells the network of members. To tell it twice is harmless, so several senders may, and any of them may die meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import structlog

from loyalty.kit.database import Database
from loyalty.network.member_repository import MemberRepository
from loyalty.network.members import EXTERNAL, as_member
from loyalty.network.models import MemberState, Wish
from tongdui import Client, NotFoundError, TongduiError

log = structlog.get_logger(__name__)
_AT_ONCE = 500


class Enrolment:
    """Registers those who join, and has those forgotten who leave."""

    def __init__(self, database: Database, client: Client) -> None:
        self._database = database
        self._client = client

    def before(self, wishes: Sequence[Wish]) -> None:
        """Registers those members of wishes of whom the network does not know yet."""
        named = [wish.member.removeprefix(EXTERNAL) for wish in wishes if wish.member.startswith(EXTERNAL)]
        with self._database.reading() as session:
            new = MemberRepository(session).new_among(named)
        self._register(new)

    def step(self) -> bool:
        """Tells the network of some members, whether or not there are points for them; whether it was told of any."""
        with self._database.reading() as session:
            members = MemberRepository(session)
            new, leaving = members.in_state(MemberState.NEW, _AT_ONCE), members.in_state(MemberState.LEAVING, _AT_ONCE)
        is_told = self._try(lambda: self._register(new)) if new else False
        for customer in leaving:
            is_told |= self._try(partial(self._erase, customer))
        return is_told

    def _try(self, tell: Callable[[], None]) -> bool:
        try:
            tell()
        except TongduiError as error:  # it is told again at the next step
            log.warning("the network was not told of members", error=str(error))
            return False
        return True

    def _register(self, new: Iterable[str]) -> None:
        if customers := list(new):
            self._client.members.register(customers)
            self._note(customers, MemberState.NEW, MemberState.KNOWN)

    def _erase(self, customer: str) -> None:
        try:
            self._client.members.erase(as_member(customer), forfeit_points=True)
        except NotFoundError:
            log.info("the network has forgotten the member already", customer=customer)
        self._note([customer], MemberState.LEAVING, MemberState.GONE)

    def _note(self, customers: Iterable[str], before: MemberState, after: MemberState) -> None:
        with self._database.session.begin() as session:
            MemberRepository(session).pass_on(customers, before, after)
