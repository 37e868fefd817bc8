"""Ends a contract, and sets another one in its place."""

from __future__ import annotations

import sys
from pathlib import Path

import clearing.models  # noqa: F401 (every entry point loads every table: foreign keys point at them)
from clearing.chain.client import ChainClient
from clearing.chain.lineage import Lineage
from clearing.chain.succession import CannotSucceed, Final, Stage, Succession, final_of, progress_of
from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.kit.identity import NetworkIdentity
from clearing.kit.rollbacks import transact
from clearing.oversight.calls.call import NetworkRequest, Power, PrivilegedCall
from clearing.oversight.calls.service import PrivilegedCallService
from clearing.oversight.operations.repository import OverviewRepository, Queue
from clearing.oversight.operations.service import OperationsService
from clearing.runtime.actions.terminal import DIFFERS, actor, console
from clearing.runtime.preflight.database import open_database
from clearing.runtime.preflight.keys import open_role_keys
from clearing.runtime.preflight.node import check_contract, open_node
from tongdui import format_micros
from tongdui.audit.options import Options, Progress
from tongdui.audit.run import audit
from tongdui.audit.snapshot import Snapshot

_AT_ONCE = 200
"""Orders that are cancelled in one transaction."""
_PAUSED_BECAUSE = "the contract is being frozen"


def freeze(settings: Settings, *, cancel_waiting: bool, dry_run: bool) -> int:
    """Freezes the contract when nothing is on its way any more. Raises CannotSucceed where something is."""
    check_contract(settings)
    keys = open_role_keys(settings, ["admin"])
    with open_database(settings) as database, open_node(settings) as client:
        operates = progress_of(client, settings.contract).stage is Stage.OPERATING
        if not dry_run and operates:
            _stop_sequencing(database)
            if cancel_waiting:
                _cancel_waiting(database)
        with database.reading() as session:
            queue = OverviewRepository(session).queue()
        if dry_run:
            _say_what_waits(queue, cancel_waiting=cancel_waiting)
            _show(final_of(client, settings.contract), "The contract would end with")
            return 0
        _require_nothing_on_its_way(queue)
        if operates:
            _note_freeze(database, settings, keys.address("admin"))
        final = Succession(client, keys, settings.max_fee_per_gas, console.print).freeze(settings.contract)
    _show(final, "The contract has ended with")
    return 0


def _stop_sequencing(database: Database) -> None:
    with database.session.begin() as session:
        OperationsService(session, actor=actor()).pause(_PAUSED_BECAUSE)


def _note_freeze(database: Database, settings: Settings, sender: str) -> None:
    """Notes who ends the contract, before that is sent."""
    contract = settings.contract.lower()
    call = PrivilegedCall(
        what="freeze the contract for ever",
        function="freeze",
        arguments=[],
        power=Power.OWNER,
        event=NetworkRequest.FREEZE,
        subject=contract,
        before={"frozen": False},
        after={"frozen": True},
    )
    with database.session.begin() as session:
        service = PrivilegedCallService(session, network=NetworkIdentity.of(settings), actor=actor())
        service.note(call, _PAUSED_BECAUSE, sender=sender)


def _cancel_waiting(database: Database) -> None:
    """Cancels every order that no batch contains: what a merchant signed for this contract, no other one takes."""
    cancelled = 0
    while True:
        with database.reading() as session:
            orders = [order.id for order in OverviewRepository(session).oldest_waiting(_AT_ONCE)]
        for order in orders:
            _cancel(database, order)
        cancelled += len(orders)
        if not orders:
            break
    if cancelled:
        console.print(f"{cancelled} orders were cancelled; what they had reserved is free again.")


def _cancel(database: Database, order: str) -> None:
    transact(database, lambda session: OperationsService(session, actor=actor()).cancel(order))


def _say_what_waits(queue: Queue, *, cancel_waiting: bool) -> None:
    then = "would be cancelled" if cancel_waiting else "would stop the freeze"
    console.print(f"{queue.orders} orders wait for a batch and {then}.")
    console.print(f"{queue.in_flight} transactions and {queue.calls} calls are on their way and would stop the freeze.")


def _require_nothing_on_its_way(queue: Queue) -> None:
    if queue.orders:
        raise CannotSucceed(
            f"{queue.orders} orders wait for a batch: let them settle before (`clearing resume`, then run this again), or give "
            "--cancel-waiting. An order is signed for one contract, and its successor does not take it"
        )
    if queue.in_flight or queue.calls:
        raise CannotSucceed(
            f"{queue.in_flight} transactions and {queue.calls} calls are on their way: leave the sequencer and the projector "
            "running until `clearing queue` shows none, then run this again"
        )


def _show(final: Final, words: str) -> None:
    console.print(f"{words} head {final.head} after {final.batches} batches.", soft_wrap=True, highlight=False)
    console.print(
        f"Funds {format_micros(final.funds_micros)}, the sum of all positions {format_micros(final.positions_micros)}.",
        highlight=False,
    )
    for program, points in enumerate(final.supplies, start=1):
        console.print(f"Program {program}: {points} points in circulation.", highlight=False)


def snapshot(settings: Settings, file: Path, state: Path | None) -> int:
    """Writes the snapshot of the frozen contract. Exit code 1 where its audit finds something."""
    check_contract(settings)
    options = Options(
        rpc=settings.rpc_urls,
        contract=settings.contract.lower(),
        chain_id=settings.chain_id,
        currency=settings.currency,
        snapshot=file,
        state=state,
    )
    with console.status("Reading the chain"):
        outcome = audit(options, _silent)
    head = Snapshot(file).head
    console.print(f"{file}: {head.leaves} leaves with the root {head.root}", soft_wrap=True, highlight=False)
    for finding in outcome.findings:
        console.print(
            f"DOES NOT HOLD  {finding.rule}: {finding.subject}", soft_wrap=True, highlight=False, markup=False
        )
    return 0 if outcome.holds else DIFFERS


def _silent(_progress: Progress) -> None:
    """The status line says enough."""


def succeed(settings: Settings, file: Path, *, dry_run: bool) -> int:
    """Sets another contract in the place of the frozen one, and prints the settings that name it."""
    check_contract(settings)
    taken = Snapshot(file)
    with open_node(settings) as client:
        _check_predecessor(client, settings, taken)
        if dry_run:
            console.print(
                f"{taken.head.leaves} leaves would be taken over from {taken.head.contract}.",
                soft_wrap=True,
                highlight=False,
            )
            return 0
        keys = open_role_keys(settings, ["admin"])  # of the others, only the addresses are needed
        succession = Succession(client, keys, settings.max_fee_per_gas, console.print)
        address, opened_in = succession.succeed(taken, "Tongdui", settings.utc_offset_seconds)
    with open_database(settings) as database:
        _cancel_waiting(database)  # accepted since the freeze, by a gateway that had not been stopped
    lineage = Lineage.of(settings).and_successor(address, opened_in)
    sys.stdout.write(f"TONGDUI_CONTRACT={address}\nTONGDUI_PREDECESSORS={lineage.setting()}\n")
    return 0


def _check_predecessor(client: ChainClient, settings: Settings, taken: Snapshot) -> None:
    """Refuses a snapshot of another contract than the settings name, or of one that goes on."""
    head = taken.head
    if (head.chain_id, head.contract) != (settings.chain_id, settings.contract.lower()):
        raise CannotSucceed(
            f"{taken.path} is of contract {head.contract} on chain {head.chain_id}, and the settings name {settings.contract} on "
            f"chain {settings.chain_id}: take a snapshot with `clearing snapshot`. If they name the successor already, it is done"
        )
    final = final_of(client, settings.contract)
    if progress_of(client, settings.contract).stage is not Stage.FROZEN or final.head != head.head:
        raise CannotSucceed(f"the contract {settings.contract} is not frozen with the head {head.head} of {taken.path}")
