"""Which address a client believes a member to have, when the member is merged, erased, or swapped by a gateway that lies."""

from __future__ import annotations

import pytest

from tongdui import Member, VerificationError
from tongdui._directory import Directory
from tongdui._gateway import Gateway, Options

OLD = Member(id="mem_old", address="0x" + "01" * 20, external_id="1", external_ids=("1",))
NEW = Member(id="mem_new", address="0x" + "02" * 20, external_id="1", external_ids=("1", "2"), merged=("mem_old",))
OTHER = Member(id="mem_other", address="0x" + "03" * 20, external_id="1", external_ids=("1",))


@pytest.fixture
def directory() -> Directory:
    directory = Directory(Gateway(Options("http://localhost", None)))
    directory.learn(OLD, "external:1")
    return directory


def test_a_merge_leads_old_names_to_the_new_address(directory: Directory) -> None:
    directory.learn(NEW, "external:1")
    assert directory.known_address("external:1") == directory.known_address("mem_old") == NEW.address


def test_without_a_merge_an_address_stays_pinned(directory: Directory) -> None:
    with pytest.raises(VerificationError) as refused:
        directory.learn(OTHER, "external:1")
    assert refused.value.check == "member"
    with pytest.raises(VerificationError):
        directory.learn(OTHER.model_copy(update={"merged": ("mem_third",)}), "external:1")
    assert directory.known_address("external:1") == OLD.address


def test_members_are_looked_up_again_when_an_order_was_refused(directory: Directory) -> None:
    assert next(directory.address("mem_new"), None) is not None, "never seen"
    with pytest.raises(StopIteration) as known:
        next(directory.address("external:1"))
    assert known.value.value == OLD.address
    directory.forget()
    asked = next(directory.address("external:1"))
    assert getattr(asked, "url", "") == "/v1/members/external:1"


def test_the_names_of_an_erased_member_may_lead_to_somebody_else(directory: Directory) -> None:
    directory.forget_member("mem_old")
    directory.learn(OTHER, "external:1")
    assert directory.known_address("external:1") == OTHER.address
