"""Makes what a new network needs once: role keys, contract, first API keys."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence

from eth_utils.address import to_checksum_address
from sqlalchemy.orm import Session

import clearing.models  # noqa: F401 (every entry point loads every table: foreign keys point at them)
from clearing.chain.deployment import deploy as deploy_contract
from clearing.chain.deployment import without_funds
from clearing.chain.timelock_deployment import TimelockTerms, hand_over
from clearing.kit.config import Settings
from clearing.kit.signing.passwords import passwords_of
from clearing.kit.signing.role_keys import ROLES
from clearing.parties.access.models import Role
from clearing.parties.access.service import AccessService, bootstrap_keys
from clearing.runtime.actions import terminal
from clearing.runtime.actions.privileged.subjects import address_of
from clearing.runtime.preflight.database import open_database
from clearing.runtime.preflight.keys import existing_roles, open_role_keys, require_password
from clearing.runtime.preflight.node import open_node
from clearing.runtime.preflight.refusal import CannotRun


def deploy(settings: Settings, delay: int | None, proposers: Sequence[str], executors: Sequence[str]) -> int:
    """Makes the role keys, deploys the contract and grants the roles. With a delay, also makes a timelock and names it as the
    next owner."""
    terms = _timelock_terms(delay, proposers, executors)
    existing = existing_roles(settings, ROLES)
    for role in ROLES:
        if role not in existing:
            require_password(settings, role)
    # Of the others, only the addresses are needed: their owners may keep the passwords to themselves.
    keys = open_role_keys(settings, [role for role in existing if role == "admin" or passwords_of(settings, role)])
    with open_node(settings, with_contract=False) as client:
        for role in ROLES:
            keys.ensure(role)
        address = deploy_contract(
            client,
            keys,
            operator_name="Tongdui",
            utc_offset_seconds=settings.utc_offset_seconds,
            max_fee_per_gas=settings.max_fee_per_gas,
        )
        for role, account in without_funds(client, keys, settings.max_fee_per_gas).items():
            sys.stderr.write(f"The {role} account {account} has nothing to pay for gas with; send it some.\n")
        if terms is not None:
            fee = settings.max_fee_per_gas
            timelock = hand_over(client, keys.signer("admin"), address, terms, fee)
            sys.stderr.write(f"The timelock {timelock} is or becomes the owner: see `clearing owner accept`.\n")
    sys.stdout.write(f"TONGDUI_CONTRACT={address}\n")
    return 0


def _timelock_terms(delay: int | None, proposers: Sequence[str], executors: Sequence[str]) -> TimelockTerms | None:
    if delay is None:
        return None
    if delay < 0 or not proposers:
        raise CannotRun("--timelock-delay: give the seconds, and at least one --timelock-proposer")
    announcing = [to_checksum_address(address_of("--timelock-proposer", one)) for one in proposers]
    executing = [to_checksum_address(address_of("--timelock-executor", one)) for one in executors]
    return TimelockTerms(delay, announcing, executing or announcing)


def make_api_keys(settings: Settings) -> int:
    """Makes the first API keys and prints them as JSON, this once."""
    return _make(settings, bootstrap_keys)


def make_api_key(settings: Settings, role: str, name: str) -> int:
    """Makes a further key of one of the network's own roles and prints it as JSON, this once."""
    return _make(
        settings,
        lambda session: {Role(role): AccessService(session).create_root(Role(role), actor=terminal.actor(), name=name)},
    )


def _make(settings: Settings, make: Callable[[Session], Mapping[Role, str]]) -> int:
    with open_database(settings) as database, database.session.begin() as session:
        tokens = make(session)
        sys.stdout.write(json.dumps(tokens, indent=2) + "\n")
        sys.stdout.flush()  # before the commit: a stored key is a known key
    return 0
