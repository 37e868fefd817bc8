"""Privileged calls that are signed and sent here, with nothing but a node and the key."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from eth_utils.address import to_checksum_address
from sqlalchemy.exc import SQLAlchemyError

from clearing.chain.client import Receipt
from clearing.chain.contract import encode_call
from clearing.chain.fees import Fees
from clearing.chain.sender import Sender, Sending
from clearing.chain.timelock import Operation, Step, Timelock
from clearing.kit.signing.signer import Signer
from clearing.oversight.calls.call import PrivilegedCall
from clearing.pipeline.old_bytes import CALL_GAS
from clearing.runtime.actions.privileged import showing
from clearing.runtime.actions.privileged.plan import Plan
from clearing.runtime.actions.privileged.queue import service
from clearing.runtime.actions.privileged.site import Site
from clearing.runtime.actions.privileged.trying import Trial
from clearing.runtime.preflight.database import reason as database_reason
from tongdui.encoding import hex_of


def make_here(site: Site, plan: Plan, trial: Trial, account: Signer, reason: str) -> None:
    """Makes the call, or lets the owner's timelock take the next step towards it."""
    if site.database is None:
        showing.say(site, f"The audit log gets what the chain says, without your name and reason: {site.absence}")
    call = trial.call
    if trial.operation is None:
        contract = to_checksum_address(site.settings.contract)
        data = encode_call(call.function, call.arguments)
        receipt = _send(site, call, account, reason, contract, data, lambda: plan(site.state).changes_nothing)
        _show_done(site, call, receipt, to_checksum_address(account.address))
        return
    assert trial.timelock is not None, "it has the operation"
    timelock, operation = Timelock(site.client, trial.timelock), trial.operation
    if operation.step is Step.SCHEDULE:
        _schedule(site, call, account, reason, timelock, operation)
    else:
        receipt = _send(
            site, call, account, reason, timelock.address, operation.data, lambda: plan(site.state).changes_nothing
        )
        _show_done(site, call, receipt, to_checksum_address(account.address))


def _schedule(
    site: Site, call: PrivilegedCall, account: Signer, reason: str, timelock: Timelock, operation: Operation
) -> None:
    is_scheduled = partial(timelock.is_scheduled, operation.id)
    receipt = _send(site, call, account, reason, timelock.address, operation.data, is_scheduled)
    scheduled = timelock.operation(
        to_checksum_address(site.settings.contract), encode_call(call.function, call.arguments)
    )
    tx_hash = hex_of(receipt.tx_hash) if receipt is not None else None
    showing.show_scheduled(site, call, scheduled, tx_hash, receipt.block_number if receipt is not None else None)


def _send(
    site: Site,
    call: PrivilegedCall,
    account: Signer,
    reason: str,
    to: str,
    data: bytes,
    is_done: Callable[[], bool],
) -> Receipt | None:
    fees = Fees(site.client, site.settings.max_fee_per_gas)
    sender = Sender(site.client, account, fees, owner=str(call.power).replace(" ", "-"))
    sender.check_funds(CALL_GAS)

    def announce(tx_hash: bytes) -> None:
        _note(site, call, reason, to_checksum_address(account.address), tx_hash)

    return sender.send(Sending(to, data, CALL_GAS, is_done, announce), patience=site.choices.timeout)


def _show_done(site: Site, call: PrivilegedCall, receipt: Receipt | None, sender: str) -> None:
    if receipt is None:
        showing.show_done(site, call, None, None, sender)
    else:
        showing.show_done(site, call, hex_of(receipt.tx_hash), receipt.block_number, sender)


def _note(site: Site, call: PrivilegedCall, reason: str, sender: str, tx_hash: bytes) -> None:
    """Notes who asked for it, before it is sent. An emergency does not wait for a database that fails meanwhile."""
    if site.database is None:
        return
    try:
        with site.database.session.begin() as session:
            service(site, session).note(call, reason, sender=sender, tx_hash=tx_hash)
    except SQLAlchemyError as error:
        showing.say(site, f"The audit log does not have your name and reason: {database_reason(error)}")
