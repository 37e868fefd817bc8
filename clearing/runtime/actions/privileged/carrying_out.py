"""Carries a privileged call out: tries it out, asks, makes it through the queue or here, and waits until a block contains it.

To repeat a command is safe. Its plan is made anew from what the contract says: what is done already changes nothing, what waits in
the queue is waited for, and what was signed here under a nonce is taken by the chain once, however often it is sent.
"""

from __future__ import annotations

from eth_utils.address import to_checksum_address

from clearing.chain.timelock import Step
from clearing.runtime.actions.privileged import showing
from clearing.runtime.actions.privileged.direct import make_here
from clearing.runtime.actions.privileged.keys import signer_of
from clearing.runtime.actions.privileged.plan import Plan
from clearing.runtime.actions.privileged.queue import let_others_through, make_through_queue
from clearing.runtime.actions.privileged.site import Site
from clearing.runtime.actions.privileged.trying import try_out, unsigned_transaction
from clearing.runtime.actions.terminal import DIFFERS
from clearing.runtime.preflight.refusal import CannotRun


def carry_out(site: Site, plan: Plan) -> int:
    """Makes the call that is planned; the exit code. Exit code 1 if a dry run finds that the contract would refuse it, or if the
    person at the terminal says no."""
    choices = site.choices
    let_others_through(site, plan)
    call = plan(site.state)
    account = None if site.is_queued or choices.print_call else signer_of(site.settings, call.power, choices)
    if call.changes_nothing and not choices.print_call:
        showing.show_unchanged(site, call)
        return 0
    trial = try_out(site, call, None if account is None else to_checksum_address(account.address))
    if trial.refusal is not None and not choices.print_call and (now := plan(site.state)).changes_nothing:
        showing.show_unchanged(site, now)  # another transaction has done it since the contract was asked
        return 0
    if choices.print_call:
        showing.print_call(site, trial, unsigned_transaction(site, trial))
        return 0
    showing.show_trial(site, trial)
    if choices.dry_run:
        showing.show_dry_run(site, trial)
        return 0 if trial.refusal is None else DIFFERS
    if trial.refusal is not None:
        raise CannotRun(f"the contract would refuse it: {trial.refusal}")
    if trial.operation is not None and trial.operation.step is Step.WAIT:
        showing.show_scheduled(site, call, trial.operation, None, None)
        return 0
    reason = choices.require_reason()
    if not choices.require_consent():
        showing.show_declined(site, call)
        return DIFFERS
    if account is None:
        make_through_queue(site, call, reason)
    else:
        make_here(site, plan, trial, account, reason)
    return 0
