"""Keys and their roles: who held which, and every use of a key for something else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.audit.rules.seen import OPERATOR, OWNER, SEQUENCER, TREASURY, event, rules_of, told
from tongdui.audit.findings import Finding, Place
from tongdui.audit.model.records import Role
from tongdui.audit.rules.roles import Held, Roles
from tongdui.audit.tables import Tables
from tongdui.audit.watching import EventSeen
from tongdui.encoding import ZERO_WORD
from tongdui.orders import NO_NONCE, ZERO_ADDRESS

SIGNER, STRANGER = "0x" + "51" * 20, "0x" + "99" * 20
FOREVER = 2**40 - 1


def role(which: Role, account: str, *, held: bool = True, number: int = 2, sender: str = OWNER) -> EventSeen:
    return event("RoleChanged", which, account, held, time=100 * number, sender=sender, number=number)


def key(
    merchant: int, account: str, *, number: int = 5, until: int = FOREVER, nonce: int = NO_NONCE, **more: Any
) -> EventSeen:
    return event("SignerChanged", merchant, account, 0, until, nonce, time=100 * number, number=number, **more)


DEPLOYED = [
    event("OwnershipTransferred", ZERO_ADDRESS, OWNER, time=100, sender=OWNER),
    event("MerchantRegistered", 0, 0, ZERO_WORD, time=100, sender=OWNER),
    role(Role.OPERATOR, OPERATOR),
    role(Role.PAUSER, OPERATOR),
    role(Role.SEQUENCER, SEQUENCER),
    role(Role.TREASURY, TREASURY),
]
USED = [
    event("MerchantRegistered", 1, 0, ZERO_WORD, time=500, number=5),
    key(1, SIGNER),
    event("AgreementEnds", 1, 700, 2, time=500, number=6),
    event("Paused", OPERATOR, time=700, number=7),
    event("Deposited", 1, 5, ZERO_WORD, time=800, number=8, sender=TREASURY),
    event("BatchClosed", 1, 0, ZERO_WORD, ZERO_WORD, time=900, number=9, sender=SEQUENCER),
    key(1, STRANGER, number=10, nonce=7, sender=STRANGER),
    event("AgreementEnds", 1, 600, 0, time=1_100, number=11),
    key(1, SIGNER, number=12, sender=OWNER),
]


def audited(*events: EventSeen) -> list[Finding]:
    return told(Roles(Tables()), [*DEPLOYED, *events])


def test_a_network_whose_keys_do_one_thing_each_is_found_to_be_one() -> None:
    assert audited(*USED) == []


def test_who_held_which_role_is_kept_with_its_use() -> None:
    roles = Roles(Tables())
    again = [role(Role.SEQUENCER, SEQUENCER, held=False, number=20), role(Role.SEQUENCER, SEQUENCER, number=21)]
    assert told(roles, [*DEPLOYED, *USED, *again]) == []
    assert roles.held() == [
        Held("owner", OWNER, 100, 1, f"0x{1:064x}", None, None, 4, 21),
        Held("operator", OPERATOR, 200, 2, f"0x{2:064x}", None, None, 1, 5),
        Held("pauser", OPERATOR, 200, 2, f"0x{2:064x}", None, None, 1, 7),
        Held("sequencer", SEQUENCER, 200, 2, f"0x{2:064x}", 2_000, 20, 1, 9),
        Held("treasury", TREASURY, 200, 2, f"0x{2:064x}", None, None, 1, 8),
        Held("sequencer", SEQUENCER, 2_100, 21, f"0x{21:064x}", None, None, 0, None),
    ]


@pytest.mark.parametrize(
    ("account", "which", "others"),
    [
        (SEQUENCER, Role.TREASURY, ["sequencer"]),
        (TREASURY, Role.PAUSER, ["treasury"]),
        (OPERATOR, Role.TREASURY, ["operator", "pauser"]),
        (OWNER, Role.OPERATOR, ["owner"]),
    ],
)
def test_an_account_that_gets_a_second_role_is_named(account: str, which: Role, others: list[str]) -> None:
    found = audited(role(which, account, number=6), role(which, account, number=7))
    name = which.name.lower()
    assert found == [
        Finding(
            "roles.two_roles",
            f"account {account}",
            f"somebody else is the {name}, as this account is the {other}",
            f"it is both {other} and {name}",
            Place(6, f"0x{6:064x}"),
        )
        for other in others
    ]


def test_a_role_that_was_given_up_is_no_second_one() -> None:
    assert audited(role(Role.TREASURY, TREASURY, held=False, number=6), role(Role.SEQUENCER, TREASURY, number=7)) == []


def test_an_owner_that_takes_over_must_hold_no_role() -> None:
    started = event("OwnershipTransferStarted", OWNER, TREASURY, number=6, sender=OWNER)
    taken = event("OwnershipTransferred", OWNER, TREASURY, number=7, sender=TREASURY)
    (one,) = audited(started, taken)
    assert (one.rule, one.found) == ("roles.two_roles", "it is both treasury and owner")


@pytest.mark.parametrize("keys_first", [True, False])
def test_a_role_key_that_signs_for_a_merchant_is_named_whichever_came_first(keys_first: bool) -> None:
    grant, signs = role(Role.TREASURY, SIGNER, number=6), key(1, SIGNER, number=5 if keys_first else 7)
    (one,) = audited(*([signs, grant] if keys_first else [grant, signs]))
    assert (one.rule, one.found) == ("roles.signs_orders", "it is a signer key of merchant 1")
    assert one.expected == "the treasury has a key of its own"


def test_a_key_that_has_run_out_signs_nothing() -> None:
    assert audited(key(1, SIGNER, until=550), role(Role.TREASURY, SIGNER, number=6)) == []


def test_a_key_of_two_merchants_is_named() -> None:
    (one,) = audited(key(1, SIGNER), key(2, SIGNER, number=6))
    assert (one.rule, one.expected) == ("roles.shared_key", "a key of merchant 1 alone")


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (event("Deposited", 1, 5, ZERO_WORD, number=6, sender=OPERATOR), "Deposited comes of a call of the treasury"),
        (
            event("BatchClosed", 1, 0, ZERO_WORD, ZERO_WORD, number=6, sender=STRANGER),
            "BatchClosed comes of a call of the sequencer",
        ),
        (role(Role.PAUSER, STRANGER, number=6, sender=OPERATOR), "RoleChanged comes of a call of the owner"),
        (key(1, SIGNER, number=6, sender=TREASURY), "SignerChanged comes of a call of the operator or owner"),
        (event("Paused", TREASURY, number=6, sender=TREASURY), "Paused comes of a call of the pauser"),
    ],
)
def test_a_call_without_its_role_is_told_once_an_account(call: EventSeen, expected: str) -> None:
    (one,) = audited(call, call)
    assert (one.rule, one.expected, one.subject) == ("roles.without_role", expected, f"account {call.sender}")


def test_a_call_after_the_role_is_gone_is_one_without() -> None:
    gone = role(Role.TREASURY, TREASURY, held=False, number=6)
    booked = event("Withdrawn", 1, 5, ZERO_WORD, number=7, sender=TREASURY)
    (one,) = audited(gone, booked)
    assert (one.rule, one.found) == ("roles.without_role", "it made the call, and holds no role")


def test_a_role_key_that_brings_what_is_not_its_part_is_named() -> None:
    ended = event("AgreementEnds", 1, 600, 0, number=6, sender=SEQUENCER)
    (one,) = audited(ended, ended)
    assert (one.rule, one.expected) == ("roles.other_use", "the sequencer makes no calls but its own")
    assert one.found == "it made the call behind AgreementEnds"
    assert rules_of(audited(key(1, SIGNER, nonce=3, sender=TREASURY))) == ["roles.other_use"]


def test_roles_are_known_after_a_checkpoint(tmp_path: Path) -> None:
    for part in (DEPLOYED, USED):
        tables = Tables(tmp_path / "state")
        roles = Roles(tables)
        assert told(roles, part) == []
        tables.checkpoint()
        assert len(roles.held()) == 5
        tables.close()
