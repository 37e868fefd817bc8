"""Signs the privileged calls that the operator and the treasury asked for, and sends them.

Each role's calls are signed by a process that has this role's key: one for all of them, or one for each. The treasury's key need
not be where the operator's is, and neither is where the sequencer's is.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from sqlalchemy.orm import Session

from clearing.chain.calls.models import Call, CallState
from clearing.chain.calls.repository import CallRepository
from clearing.chain.client import ChainClient
from clearing.chain.contract import encode_call
from clearing.chain.node_errors import explanation_of
from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.kit.signing.role_keys import RoleKeys
from clearing.kit.wakeups.channels import Channel, Pause
from clearing.pipeline.failed_calls import fail_call_for_good
from clearing.pipeline.models import Transaction
from clearing.pipeline.old_bytes import CALL_GAS
from clearing.pipeline.outbox import NodeAnswers, Outbox
from clearing.pipeline.repository import TransactionRepository
from clearing.pipeline.simulation import simulate
from tongdui.encoding import hex_of

log = structlog.get_logger(__name__)

SIGNING_ROLES = ("operator", "treasury")
"""Roles whose calls wait in the database."""
_CALLS_A_STEP = 20
_MISSING_ROLE = "MissingRole"
"""The contract's error for a key that lacks the role."""
_PAUSED = "EnforcedPause"
"""The contract's error for a call that waits until the network runs again."""
_DURING_A_PAUSE = ("revokeSigner", "setIssuanceCap", "setMerchantStatus", "setProgramPaused", "terminateAgreement")
"""What may go on while the network is paused, because it can take something away."""


def leadership_of(role: str) -> str:
    """The name of the right to sign a role's calls."""
    return f"signer-{role}"


class CallSigner:
    """Turns pending calls of some roles into transactions and sends them. Whoever runs it leads for each of the roles first."""

    def __init__(
        self, database: Database, client: ChainClient, settings: Settings, keys: RoleKeys, roles: Sequence[str]
    ) -> None:
        self._database = database
        self._client = client
        self._settings = settings
        self._keys = keys
        self._roles = roles
        self._outbox = Outbox(database, client, settings, keys, roles)
        self._is_paused = False
        """Whether the network was paused when a call was last tried out."""

    def step(self) -> bool:
        """Signs pending calls and sends what is due. False when there was nothing to do."""
        with self._database.reading() as session:
            has_calls = CallRepository(session).any_pending(self._roles)
            has_due = TransactionRepository(session).any_due(self._outbox.senders, self._outbox.overdue())
        worked = has_calls and self.sign_pending()
        if worked or has_due:
            worked |= self.send_due()
        return worked

    def pause(self, *, worked: bool, woken: bool) -> Pause:  # noqa: ARG002 (it finds at once what woke it)
        """What to wait for after a step: a request, or a decision that lets a call be tried. Nothing, while there is work."""
        return Pause(0) if worked else Pause(self._settings.poll_interval, (Channel.REQUESTED, Channel.DECIDED))

    def send_due(self) -> bool:
        """Sends the transactions that were never sent, and those sent a while ago that no block contains."""
        return self._outbox.send_due(_no_batch)

    def sign_pending(self) -> bool:
        """Stores the pending calls as signed transactions, oldest first. False when there was nothing to do.

        A call behind another one, be it another role's, cannot be tried out, because it may build on that one. So only the first of
        all is tried out, and a call that has reverted before waits until it is the first. While the network is paused, what the
        contract refuses for that waits, and what takes something away goes past it.
        """
        with self._database.reading() as session:
            calls = CallRepository(session)
            pending, first = calls.pending(self._roles, _CALLS_A_STEP), calls.first_pending()
            is_calm = not TransactionRepository(session).any_call_unmined()
        if not pending or (self._is_paused and not is_calm):
            return False
        # The node is asked before the transaction begins. Only this signer's own failures change a pending call of its roles.
        tried = pending[0]
        verdict = self._refusal(tried) if is_calm else None
        if self._waits_for_end_of_pause(verdict):
            return self._sign_during_pause()
        is_first = is_calm and tried.id == first
        answers = {role: self._outbox.ask_node(role) for role in {call.role for call in pending}}
        with self._database.session.begin() as session:
            signed = 0
            for call in CallRepository(session).pending(self._roles, len(pending)):
                if (call.error is not None and not is_first) or call.role not in answers:
                    break
                if is_first and (call.id, call.arguments) != (tried.id, tried.arguments):
                    return True  # it has changed since it was tried out
                refusal = verdict if is_first else None
                if refusal is not None and refusal.startswith(_MISSING_ROLE):
                    log.error("this key lacks the role for a call", role=call.role, error=refusal)
                    break
                if refusal is not None:
                    fail_call_for_good(session, call, refusal)
                    return True  # the calls behind it may have changed
                is_first = False
                self._sign(session, call, answers[call.role])
                signed += 1
        return signed > 0

    def _waits_for_end_of_pause(self, verdict: str | None) -> bool:
        is_paused = verdict is not None and verdict.startswith(_PAUSED)
        if is_paused != self._is_paused:
            log.warning("calls wait while the contract is paused" if is_paused else "calls wait no more")
        self._is_paused = is_paused
        return is_paused

    def _sign_during_pause(self) -> bool:
        """Stores the first call that the contract takes although it is paused. No refusal is final now: the call may build on one
        that waits."""
        with self._database.reading() as session:
            pending = CallRepository(session).pending(self._roles, _CALLS_A_STEP, _DURING_A_PAUSE)
        tried = next((call for call in pending if self._refusal(call) is None), None)
        if tried is None:
            return False
        answers = self._outbox.ask_node(tried.role)
        with self._database.session.begin() as session:
            self._sign(session, CallRepository(session).get_one(tried.id), answers)
        return True

    def _sign(self, session: Session, call: Call, answers: NodeAnswers) -> None:
        data = encode_call(call.function, call.arguments)
        transaction = self._outbox.sign(session, call.role, data, CALL_GAS, answers)
        call.transaction_id = transaction.id
        call.state = CallState.SUBMITTED
        log.info("call signed", function=call.function, subject=call.subject, hash=hex_of(transaction.hash))

    def _refusal(self, call: Call) -> str | None:
        """Why the contract would refuse the call now; None if it would not."""
        error = simulate(
            self._client,
            sender=self._keys.signer(call.role).address,
            contract=self._settings.contract,
            data=encode_call(call.function, call.arguments),
            gas=CALL_GAS,
        )
        return explanation_of(error) if error is not None else None


def _no_batch(_session: Session, transaction: Transaction) -> None:
    raise AssertionError(f"transaction {transaction.id} is no batch")
