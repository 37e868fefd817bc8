"""Privileged calls through the queue, in which all of the operator's wait: so no two of its key take the same nonce."""

from __future__ import annotations

import time

from sqlalchemy.orm import Session

from clearing.chain.calls.models import CallState
from clearing.kit.identity import NetworkIdentity
from clearing.oversight.calls.call import PrivilegedCall
from clearing.oversight.calls.service import QUEUED_ROLE, PrivilegedCallService
from clearing.pipeline.leadership import has_leader
from clearing.pipeline.privileged_calls import leadership_of
from clearing.runtime.actions.privileged import showing
from clearing.runtime.actions.privileged.plan import Plan
from clearing.runtime.actions.privileged.site import Site
from clearing.runtime.actions.terminal import actor
from clearing.runtime.preflight.refusal import CannotRun

_LOOK_EVERY = 0.1


def let_others_through(site: Site, plan: Plan) -> None:
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
                "signer and projector run? `clearing queue` shows what waits"
            )
        time.sleep(_LOOK_EVERY)


def _is_another_on_its_way(site: Site, call: PrivilegedCall) -> bool:
    assert site.database is not None, "the caller has looked"
    with site.database.reading() as session:
        return service(site, session).another_on_its_way(call)


def make_through_queue(site: Site, call: PrivilegedCall, reason: str) -> None:
    """Puts the call into the queue, if it is not there, and waits until a block contains it."""
    assert site.database is not None, "whatever is queued has one"
    with site.database.session.begin() as session:
        call_id = service(site, session).request(call, reason)
    showing.say(site, "The call is in the queue; now a block has to contain it.")
    deadline = time.monotonic() + site.choices.timeout
    while True:
        with site.database.reading() as session:
            outcome = service(site, session).outcome(call_id)
            leads = has_leader(session, leadership_of(QUEUED_ROLE))
        if outcome.state is CallState.DONE:
            showing.show_done(site, call, outcome.tx_hash, outcome.block_number, None)
            return
        if outcome.state is CallState.FAILED:
            raise CannotRun(f"the contract has refused it: {outcome.error}")
        if time.monotonic() > deadline:
            runs = "" if leads else "; no signer runs"
            raise CannotRun(
                f"no block contains the call after {site.choices.timeout:g} s{runs}. It stays in the queue, and the same command "
                "goes on waiting for it; `clearing queue` shows what waits"
            )
        time.sleep(_LOOK_EVERY)


def service(site: Site, session: Session) -> PrivilegedCallService:
    """The service of calls that people ask for, in the name of whoever runs the command."""
    return PrivilegedCallService(session, network=NetworkIdentity.of(site.settings), actor=actor())
