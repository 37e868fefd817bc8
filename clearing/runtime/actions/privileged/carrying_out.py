"""Carries a privileged call out: tries it out, asks, makes it through the queue or here, and waits until a block contains it.

To repeat a command is safe. Its plan is made anew from what the contract says: what is done already changes nothing, what waits in
the queue is waited for, and what was signed here under a nonce is taken by the chain once, however often it is sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from clearing.chain.calls.models import CallState
from clearing.chain.contract import encode_call
from clearing.chain.fees import Fees
from clearing.chain.refusals import refusal_sentence
from clearing.chain.sender import Sender, Sending
from clearing.chain.state import ContractState
from clearing.kit.identity import NetworkIdentity
from clearing.oversight.calls.call import Power, PrivilegedCall
from clearing.oversight.calls.service import PrivilegedCallService
from clearing.pipeline.leadership import has_leader
from clearing.pipeline.old_bytes import CALL_GAS
from clearing.pipeline.simulation import simulate
from clearing.runtime.actions.privileged import showing
from clearing.runtime.actions.privileged.keys import signing_account
from clearing.runtime.actions.privileged.showing import Trial
from clearing.runtime.actions.privileged.site import Site
from clearing.runtime.actions.terminal import DIFFERS, actor
from clearing.runtime.preflight.database import reason as database_reason
from clearing.runtime.preflight.refusal import CannotRun
from tongdui.encoding import hex_of

Plan = Callable[[ContractState], PrivilegedCall]
"""The call as it would be now; raises CannotRun for what is impossible."""

_LOOK_EVERY = 0.1


def carry_out(site: Site, plan: Plan) -> int:
    """Makes the call that is planned; the exit code. Exit code 1 if a dry run finds that the contract would refuse it, or if the
    person at the terminal says no."""
    choices = site.choices
    _let_others_through(site, plan)
    call = plan(site.state)
    account = None if site.is_queued or choices.print_call else signing_account(site.settings, call.power, choices)
    if call.changes_nothing and not choices.print_call:
        showing.show_unchanged(site, call)
        return 0
    senders = [str(account.address)] if account is not None else _senders(site.state, call.power)
    trial = _tried(site, call, senders)
    if choices.print_call:
        showing.print_call(site, trial, senders, _unsigned(site, trial))
        return 0
    showing.show_trial(site, trial)
    if choices.dry_run:
        showing.show_dry_run(site, trial)
        return 0 if trial.refusal is None else DIFFERS
    if trial.refusal is not None:
        raise CannotRun(f"the contract would refuse it: {trial.refusal}")
    reason = choices.require_reason()
    if not choices.require_consent():
        showing.show_declined(site, call)
        return DIFFERS
    if account is None:
        _through_queue(site, call, reason)
    else:
        _from_here(site, plan, account, reason)
    return 0


# -------------------------------------------------------------------- trying it out


def _senders(state: ContractState, power: Power) -> list[str]:
    """Who has the power now."""
    match power:
        case Power.OWNER:
            found = [state.owner()]
        case Power.NEXT_OWNER:
            named = state.pending_owner()
            found = [] if named is None else [named]
        case Power.PAUSER:
            found = state.holders("pauser")
        case _:
            found = state.holders("operator")
    return [str(to_checksum_address(one)) for one in found]


def _tried(site: Site, call: PrivilegedCall, senders: list[str]) -> Trial:
    if not senders:
        nobody = (
            "nobody is named as the next owner"
            if call.power is Power.NEXT_OWNER
            else f"nobody has the role {call.power}"
        )
        return Trial(call, None, nobody)
    data = encode_call(call.function, call.arguments)
    error = simulate(site.client, sender=senders[0], contract=site.settings.contract, data=data, gas=CALL_GAS)
    if error is None:
        return Trial(call, senders[0], None)
    return Trial(call, senders[0], refusal_sentence(error))


def _unsigned(site: Site, trial: Trial) -> dict[str, Any] | None:
    """The transaction that the sender would have to sign, if that is a key and no contract such as a multisig or a timelock."""
    if trial.sender is None or site.state.has_code(trial.sender):
        return None
    numbers = {
        "chainId": site.settings.chain_id,
        "nonce": site.client.next_nonce(trial.sender),
        "gas": CALL_GAS,
        "value": 0,
        **Fees(site.client, site.settings.max_fee_per_gas).first(),
    }
    return {
        "from": trial.sender,
        "to": to_checksum_address(site.settings.contract),
        "data": hex_of(encode_call(trial.call.function, trial.call.arguments)),
        **{name: hex(number) for name, number in numbers.items()},
    }


# -------------------------------------------------------------------- through the queue


def _let_others_through(site: Site, plan: Plan) -> None:
    """Waits for what the queue has to another effect on the same, such as a suspension that is to be taken back: only behind that
    can anybody say what would change. Whoever goes past the queue, or only looks, is told."""
    if site.database is None:
        return
    deadline = time.monotonic() + site.choices.timeout
    while _is_another_on_its_way(site, plan(site.state)):
        if not site.is_queued or not site.choices.sends:
            showing.say(site, "A call to another effect on the same waits in the queue, and will change this again.")
            return
        if time.monotonic() > deadline:
            raise CannotRun(
                f"a call to another effect on the same is on its way, and in no block after {site.choices.timeout:g} s; do "
                "sequencer and projector run? `clearing queue` shows what waits"
            )
        time.sleep(_LOOK_EVERY)


def _is_another_on_its_way(site: Site, call: PrivilegedCall) -> bool:
    assert site.database is not None, "the caller has looked"
    with site.database.reading() as session:
        return _service(site, session).another_on_its_way(call)


def _through_queue(site: Site, call: PrivilegedCall, reason: str) -> None:
    """Puts the call into the queue in which the sequencer's transactions wait, so that no two of its key take the same nonce."""
    assert site.database is not None, "whatever is queued has one"
    with site.database.session.begin() as session:
        call_id = _service(site, session).request(call, reason)
    showing.say(site, "The call is in the queue; now a block has to contain it.")
    deadline = time.monotonic() + site.choices.timeout
    while True:
        with site.database.reading() as session:
            outcome = _service(site, session).outcome(call_id)
            leads = has_leader(session, "sequencer")
        if outcome.state is CallState.DONE:
            showing.show_done(site, call, outcome.tx_hash, outcome.block_number, None)
            return
        if outcome.state is CallState.FAILED:
            raise CannotRun(f"the contract has refused it: {outcome.error}")
        if time.monotonic() > deadline:
            runs = "" if leads else "; no sequencer runs"
            raise CannotRun(
                f"no block contains the call after {site.choices.timeout:g} s{runs}. It stays in the queue, and the same command "
                "goes on waiting for it; `clearing queue` shows what waits"
            )
        time.sleep(_LOOK_EVERY)


# -------------------------------------------------------------------- from here


def _from_here(site: Site, plan: Plan, account: LocalAccount, reason: str) -> None:
    """Signs and sends the call with a key that is here: nothing but the node has to run."""
    call = plan(site.state)
    if site.database is None:
        showing.say(site, f"The audit log gets what the chain says, without your name and reason: {site.absence}")
    sender = Sender(
        site.client, account, Fees(site.client, site.settings.max_fee_per_gas), owner=str(call.power).replace(" ", "-")
    )
    sender.check_funds(CALL_GAS)
    sending = Sending(
        to_checksum_address(site.settings.contract),
        encode_call(call.function, call.arguments),
        CALL_GAS,
        is_done=lambda: plan(site.state).changes_nothing,
        announce=lambda tx_hash: _note(site, call, reason, account.address, tx_hash),
    )
    receipt = sender.send(sending, patience=site.choices.timeout)
    if receipt is None:
        showing.show_done(site, call, None, None, account.address)
    else:
        showing.show_done(site, call, hex_of(receipt.tx_hash), receipt.block_number, account.address)


def _note(site: Site, call: PrivilegedCall, reason: str, sender: str, tx_hash: bytes) -> None:
    """Notes who asked for it, before it is sent. An emergency does not wait for a database that fails meanwhile."""
    if site.database is None:
        return
    try:
        with site.database.session.begin() as session:
            _service(site, session).note(call, reason, sender=sender, tx_hash=tx_hash)
    except SQLAlchemyError as error:
        showing.say(site, f"The audit log does not have your name and reason: {database_reason(error)}")


def _service(site: Site, session: Session) -> PrivilegedCallService:
    return PrivilegedCallService(session, network=NetworkIdentity.of(site.settings), actor=actor())
