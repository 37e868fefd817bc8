"""What a privileged call would change, or has changed: for people, and as JSON for programs."""

from __future__ import annotations

import sys
from typing import Any

from eth_utils.address import to_checksum_address

from clearing.chain.contract import encode_call, signature_of
from clearing.chain.timelock import Operation, Step
from clearing.kit.json_values import instant_text
from clearing.oversight.calls.call import PrivilegedCall
from clearing.runtime.actions.privileged.site import Site
from clearing.runtime.actions.privileged.trying import Trial
from clearing.runtime.actions.terminal import console, write_json
from tongdui.encoding import hex_of


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
    way = "through the signer's queue" if site.is_queued else "past the queue"
    whom = f"{trial.sender} ({call.power})" if trial.sender is not None else f"the {call.power}"
    _say(f"By {whom}, {way}, on contract {site.settings.contract} of chain {site.settings.chain_id}.")
    if trial.operation is not None:
        _say(_timelock_sentence(trial.timelock or "", trial.operation))
    if trial.refusal is not None:
        _say(f"The contract would refuse it: {trial.refusal}.")


def _timelock_sentence(timelock: str, operation: Operation) -> str:
    delay, ready = f"{operation.delay} s", instant_text(operation.ready_at)
    match operation.step:
        case Step.SCHEDULE:
            return f"Now it is scheduled in the timelock {timelock}; after {delay}, from {ready} on, the same command executes it."
        case Step.WAIT:
            return f"It is scheduled in the timelock {timelock}; from {ready} on, the same command executes it."
        case _:
            return f"It was scheduled in the timelock {timelock}, and its delay of {delay} is over: now it is executed."


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


def show_scheduled(
    site: Site, call: PrivilegedCall, operation: Operation, tx_hash: str | None, block: int | None
) -> None:
    """Says that the owner's timelock has the call, and from when on it can be executed."""
    where = f", in block {block}, transaction {tx_hash}" if tx_hash is not None else ""
    ready = instant_text(operation.ready_at)
    text = f"Scheduled{where}. From {ready} on, the same command executes it; the operation is {hex_of(operation.id)}."
    more = {"transaction": tx_hash, "block": block, "operation": hex_of(operation.id), "ready_at": ready}
    _finish(site, call, "scheduled", text, **more)


def print_call(site: Site, trial: Trial, transaction: dict[str, Any] | None) -> None:
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
            "senders": trial.senders,
            "refusal": trial.refusal,
            "transaction": transaction,
            "timelock": _timelock_calls(trial),
        }
    )


def _timelock_calls(trial: Trial) -> dict[str, Any] | None:
    """What whoever may propose and execute sends to the owner's timelock, one after the other."""
    operation = trial.operation
    if operation is None:
        return None
    return {
        "to": trial.timelock,
        "operation": hex_of(operation.id),
        "next": str(operation.step),
        "ready_at": instant_text(operation.ready_at),
        "delay_seconds": operation.delay,
        "schedule_data": hex_of(operation.schedule),
        "execute_data": hex_of(operation.execute),
    }


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
    return "none" if value is None else str(value)


def _say(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
