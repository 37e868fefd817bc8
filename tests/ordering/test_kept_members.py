"""Instructions have no foreign keys: the members that an order names are kept by one statement, until the order is stored."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import OperationalError

from clearing.kit.database import is_lock_timeout
from clearing.kit.locks import wait_at_most
from clearing.ordering.erasure.repository import ErasureRepository
from clearing.parties.members.repository import MemberRepository
from tests.support.harness import Harness

STRANGER = "mem_" + "0" * 26


def test_only_members_that_there_are_can_be_kept(harness: Harness) -> None:
    member = harness.member()
    with harness.database.session.begin() as session:
        members = MemberRepository(session)
        assert members.keep({member, STRANGER}) == {member}
        assert members.keep(set()) == set()


def test_an_erasure_waits_for_whoever_keeps_a_member(harness: Harness) -> None:
    if harness.database.is_sqlite:
        pytest.skip("there is one writer at a time")
    member, other = harness.member(), harness.member()
    with harness.database.session.begin() as storing:
        MemberRepository(storing).keep({member})
        with harness.database.session() as erasing:
            wait_at_most(erasing, 0.2)
            assert len(ErasureRepository(erasing).lock_all(other)) == 1
            with pytest.raises(OperationalError) as refused:
                ErasureRepository(erasing).lock_all(member)
            assert is_lock_timeout(refused.value)
    with harness.database.session.begin() as erasing:
        assert len(ErasureRepository(erasing).lock_all(member)) == 1, "the order is stored, so the erasure sees it"


def test_two_orders_keep_the_same_member(harness: Harness) -> None:
    if harness.database.is_sqlite:
        pytest.skip("there is one writer at a time")
    member = harness.member()
    with harness.database.session.begin() as one, harness.database.session.begin() as another:
        wait_at_most(another, 0.2)
        assert MemberRepository(one).keep({member}) == MemberRepository(another).keep({member}) == {member}
