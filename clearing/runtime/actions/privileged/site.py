"""Where a privileged call is made: the contract on its node, and the database, which an emergency may have to do without."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

import clearing.models  # noqa: F401 (every entry point loads every table: foreign keys point at them)
from clearing.chain.client import ChainClient
from clearing.chain.state import ContractState
from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.oversight.calls.call import Power
from clearing.runtime.actions.privileged.options import Choices
from clearing.runtime.preflight.database import open_database
from clearing.runtime.preflight.node import check_contract, open_node
from clearing.runtime.preflight.refusal import CannotRun

_QUEUED = (Power.OPERATOR, Power.ANYONE)


@dataclass(slots=True)
class Site:
    """The contract, the database if there is one, and what was chosen."""

    settings: Settings
    choices: Choices
    client: ChainClient
    state: ContractState
    database: Database | None
    absence: str
    """Why there is no database."""
    is_queued: bool
    """Whether the operator's signer makes the call, so that its key sends one transaction after the other."""


@contextmanager
def open_site(settings: Settings, choices: Choices, power: Power) -> Iterator[Site]:
    """The site of a call that needs this power. Raises CannotRun without a node, or without a database that is needed."""
    check_contract(settings)
    is_queued = power in _QUEUED and not choices.direct and not choices.print_call
    with open_node(settings) as client:
        state = ContractState(client, settings.contract)
        database, absence = None, ""
        opened = open_database(settings)
        try:
            database = opened.__enter__()
        except (CannotRun, SQLAlchemyError) as error:
            absence = str(error)
        if database is None and is_queued:
            raise CannotRun(f"{absence}\nWithout it, --direct signs and sends the call here, with the role's own key")
        try:
            yield Site(settings, choices, client, state, database, absence, is_queued)
        finally:
            if database is not None:
                opened.__exit__(None, None, None)
