"""What is wrong now, with a sentence what to do: the words of the operating guide, for what the gateway reports."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from console.visit import Visit
from pages.translations import Text, lazy
from pages.translations import gettext as _
from tongdui import Health, Operations

_PARTS = {
    "database": lazy("Database"),
    "migrations": lazy("Schema of the database"),
    "chain": lazy("Chain node"),
    "sequencer": lazy("Sequencer"),
    "projector": lazy("Projector"),
    "reconciliation": lazy("Reconciliation"),
}
_FAULTS: dict[str, tuple[Text, Text]] = {
    "database": (
        lazy("The database does not answer."),
        lazy("Nothing is accepted meanwhile, and nothing is lost. Start the database again, and look at its log."),
    ),
    "migrations": (
        lazy("The gateway and the schema of the database have different versions."),
        lazy("Run `clearing migrate` with the newer version."),
    ),
    "chain": (
        lazy("The chain node does not answer, or is on another chain."),
        lazy(
            "Orders queue up and nothing is lost. Repair the node, or point TONGDUI_RPC_URL at another one and restart."
        ),
    ),
    "sequencer": (
        lazy("Orders do not reach the chain."),
        lazy(
            "Read the sequencer's log: `the node refused a transaction` says why (gas, size, sender). If none runs, start it. "
            "If a transaction is in no block, check whether the node's head moves."
        ),
    ),
    "projector": (
        lazy("What the gateway shows is behind the chain."),
        lazy(
            "Wait: it catches up. If its log repeats `step failed`, the message says what fails. If none runs, start it."
        ),
    ),
    "reconciliation": (
        lazy("No reconciliation was clean for too long."),
        lazy(
            "Look whether `clearing rounds` runs, at its log, and at the newest reconciliation: the node may not know the past, "
            "or there are differences."
        ),
    ),
}
_QUEUE = 10_000
"""So many instructions that wait are worth a look."""
_SILENT = 300
"""Seconds without a block, while orders wait."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing that is wrong."""

    title: str
    advice: str
    tone: str
    told: str | None = None
    """The gateway's own words."""
    href: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """How one part is."""

    name: str
    is_well: bool
    told: str


@dataclass(frozen=True, slots=True)
class State:
    """How the network is: what is wrong, the worst first, and every part."""

    alerts: tuple[Alert, ...]
    parts: tuple[Part, ...]


async def state_of(visit: Visit) -> State:
    """Asks the gateway how it is."""
    health, at_work = await asyncio.gather(visit.client.health.get(), visit.client.operations.get())
    found = [*_of_parts(health, at_work), *_of_operations(at_work)]
    worst_first = tuple(sorted(found, key=lambda one: ("bad", "warn", "info").index(one.tone)))
    parts = tuple(
        Part(str(_PARTS.get(name, name)), check.ok, str(check.detail or "")) for name, check in health.checks.items()
    )
    return State(worst_first, parts)


def _of_parts(health: Health, at_work: Operations) -> Iterator[Alert]:
    for name, check in health.checks.items():
        if check.ok or (name == "sequencer" and at_work.pause):
            continue
        title, advice = _FAULTS.get(name, (_PARTS.get(name, name), ""))
        yield Alert(str(title), str(advice), "bad", str(check.detail or ""), "/operations")


def _of_operations(at_work: Operations) -> Iterator[Alert]:
    if at_work.pause is not None:
        yield Alert(
            _("The network is paused by %(who)s.") % {"who": at_work.pause.actor.name},
            _("Resume it when the reason is gone: orders that wait past their deadline are refused."),
            "warn",
            at_work.pause.reason,
            "/operations",
        )
    if at_work.quarantined_events:
        yield Alert(
            _("Events of the chain could not be applied."),
            _("Look at why, mend that (usually a newer version of the gateway), and try them again."),
            "bad",
            href="/operations/quarantine",
        )
    if at_work.reconciliation is not None and at_work.reconciliation.drifts:
        yield Alert(
            _("The newest reconciliation found differences: the database is not what the chain says."),
            _(
                "Keep the report. `clearing rebuild --into URL --compare` builds the read model again in an empty database and "
                "says which tables differ."
            ),
            "bad",
            href="/operations",
        )
    if at_work.queue.instructions >= _QUEUE:
        yield Alert(
            _("Very much waits for the chain."),
            _(
                "The chain is slower than the callers. Above the limit, they are told to come back, and do so by themselves."
            ),
            "warn",
            href="/operations",
        )
    if (age := at_work.node.block_age_seconds) is not None and age > _SILENT and at_work.queue.orders:
        yield Alert(
            _("The chain makes no blocks."),
            _("Check whether the node is connected to its peers. Orders wait and nothing is lost."),
            "bad",
            href="/operations",
        )
