"""What a privileged call would change, or has changed: for people, and as JSON for programs."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from eth_utils.address import to_checksum_address

from clearing.chain.contract import encode_call, signature_of
from clearing.oversight.calls.call import PrivilegedCall
from clearing.runtime.actions.privileged.site import Site
from clearing.runtime.actions.terminal import console, write_json
from tongdui.encoding import hex_of


@dataclass(frozen=True, slots=True)
class Trial:
    """A call that was tried out on the node, without a transaction."""

    call: PrivilegedCall
    sender: str | None
    """In whose name; None if nobody has the power."""
    refusal: str | None
    """Why the contract would refuse it, in a sentence."""


def show_trial(site: Site, trial: Trial) -> None:
    """Says who would do what, and what would be different then."""
    if site.choices.as_json:
        return
    call = trial.call
    _say(f"{call.what[0].upper()}{call.what[1:]}")
    for name in call.before:
        was, now = _text(call.before[name]), _text(call.after[name])
        _say(f"  {name.replace('_', ' ')}: {was} -> {now}" if was != now else f"  {name.replace('_', ' ')}: {was}")
    for note in call.notes:
        _say(f"  {note}")
    way = "through the sequencer's queue" if site.is_queued else "past the queue"
    whom = f"{trial.sender} ({call.power})" if trial.sender is not None else f"the {call.power}"
    _say(f"By {whom}, {way}, on contract {site.settings.contract} of chain {site.settings.chain_id}.")
    if trial.refusal is not None:
        _say(f"The contract would refuse it: {trial.refusal}.")


def show_unchanged(site: Site, call: PrivilegedCall) -> None:
    """Says that there is nothing to do."""
    _finish(site, call, "unchanged", f"Nothing changes: {_state(call)} already.")


def show_dry_run(site: Site, trial: Trial) -> None:
    """Says what would have become of it."""
    outcome = "would_succeed" if trial.refusal is None else "would_fail"
    _finish(site, trial.call, outcome, "Nothing was sent.", sender=trial.sender, refusal=trial.refusal)


def show_declined(site: Site, call: PrivilegedCall) -> None:
    """Says that the person said no."""
    _finish(site, call, "declined", "Nothing was sent.")


def show_done(site: Site, call: PrivilegedCall, tx_hash: str | None, block: int | None, sender: str | None) -> None:
    """Says that a block contains it, or that somebody else's transaction has done the same."""
    text = (
        f"Done in block {block}, transaction {tx_hash}."
        if tx_hash is not None
        else f"Another transaction has done it: {_state(call)}."
    )
    _finish(site, call, "done", text, sender=sender, transaction=tx_hash, block=block)


def print_call(site: Site, trial: Trial, senders: list[str], transaction: dict[str, Any] | None) -> None:
    """Prints the call for whoever signs it elsewhere."""
    if trial.refusal is not None:
        sys.stderr.write(f"As things are, the contract would refuse it: {trial.refusal}.\n")
    call = trial.call
    write_json(
        {
            "what": call.what,
            "before": call.before,
            "after": call.after,
            "chain_id": site.settings.chain_id,
            "to": to_checksum_address(site.settings.contract),
            "value": "0",
            "data": hex_of(encode_call(call.function, call.arguments)),
            "function": signature_of(call.function),
            "arguments": call.arguments,
            "senders": senders,
            "refusal": trial.refusal,
            "transaction": transaction,
        }
    )


def say(site: Site, text: str) -> None:
    """Tells a person something on the way; a program hears only the outcome."""
    if not site.choices.as_json:
        _say(text)


def _state(call: PrivilegedCall) -> str:
    return ", ".join(f"{name.replace('_', ' ')} is {_text(value)}" for name, value in call.after.items())


def _finish(site: Site, call: PrivilegedCall, outcome: str, text: str, **more: Any) -> None:
    if not site.choices.as_json:
        _say(text)
        return
    told = {"sender": None, "refusal": None, "transaction": None, "block": None, **more}
    write_json(
        {
            "outcome": outcome,
            "what": call.what,
            "before": call.before,
            "after": call.after,
            "function": signature_of(call.function),
            "arguments": call.arguments,
            **told,
        }
    )


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "nobody" if value is None else str(value)


def _say(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
