"""Signs the privileged calls that the operator and the treasury asked for."""

from __future__ import annotations

import structlog
from sqlalchemy.orm import Session

from clearing.chain.calls.models import Call, CallState
from clearing.chain.calls.repository import CallRepository
from clearing.chain.client import ChainClient
from clearing.chain.contract import encode_call
from clearing.chain.node_errors import explanation_of
from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.kit.signing.keyring import RoleKeys
from clearing.pipeline.failed_calls import fail_call_for_good
from clearing.pipeline.old_bytes import CALL_GAS
from clearing.pipeline.outbox import NodeAnswers, Outbox
from clearing.pipeline.repository import TransactionRepository
from clearing.pipeline.simulation import simulate
from tongdui.encoding import hex_of

log = structlog.get_logger(__name__)

_CALLS_A_STEP = 20
_ROLES = ("operator", "treasury")
_MISSING_ROLE = "MissingRole"
"""The contract's error for a key that lacks the role."""
_PAUSED = "EnforcedPause"
"""The contract's error for a call that waits until the network runs again."""
_DURING_A_PAUSE = ("revokeSigner", "setIssuanceCap", "setMerchantStatus", "setProgramPaused", "terminateAgreement")
"""What may go on while the network is paused, because it can take something away."""


class CallSigner:
    """Turns pending calls into signed transactions."""

    def __init__(
        self, database: Database, client: ChainClient, settings: Settings, keys: RoleKeys, outbox: Outbox
    ) -> None:
        self._database = database
        self._client = client
        self._settings = settings
        self._keys = keys
        self._outbox = outbox
        self._missing: list[str] = []
        """Roles that had no key when somebody last looked."""
        self._is_paused = False
        """Whether the network was paused when a call was last tried out."""

    def sign_pending(self) -> bool:
        """Stores the pending calls as signed transactions, oldest first. False when there was nothing to do.

        A call behind another one cannot be tried out, because it may build on that one. So only the first is tried out, and a call
        that has reverted before waits until it is the first. While the network is paused, what the contract refuses for that waits,
        and what takes something away goes past it.
        """
        waiting = self._roles_without_key()
        with self._database.reading() as session:
            pending = CallRepository(session).pending(_CALLS_A_STEP, but=waiting)
            is_first = not any(transaction.orders == 0 for transaction in TransactionRepository(session).unmined())
        if not pending or (self._is_paused and not is_first):
            return False
        # The node is asked before the transaction begins. Only the sequencer's own failures change a pending call.
        tried = pending[0]
        verdict = self._refusal(tried) if is_first else None
        if self._waits_for_end_of_pause(verdict):
            return self._sign_during_pause(waiting)
        answers = {role: self._outbox.ask_node(role) for role in {call.role for call in pending}}
        with self._database.session.begin() as session:
            signed = 0
            for call in CallRepository(session).pending(len(pending), but=waiting):
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

    def _sign_during_pause(self, waiting: list[str]) -> bool:
        """Stores the first call that the contract takes although it is paused. No refusal is final now: the call may build on one
        that waits."""
        with self._database.reading() as session:
            pending = CallRepository(session).pending(_CALLS_A_STEP, but=waiting, functions=_DURING_A_PAUSE)
        tried = next((call for call in pending if self._refusal(call) is None), None)
        if tried is None:
            return False
        answers = self._outbox.ask_node(tried.role)
        with self._database.session.begin() as session:
            self._sign(session, CallRepository(session).get_one(tried.id), answers)
        return True

    def _roles_without_key(self) -> list[str]:
        """Roles whose calls have to wait until somebody puts their key there. The others' go on, and so do orders."""
        missing = [role for role in _ROLES if not self._keys.has(role)]
        if missing != self._missing:
            for role in missing:
                log.error("there is no key for the calls of a role", role=role)
            self._missing = missing
        return missing

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
            sender=self._keys.address(call.role),
            contract=self._settings.contract,
            data=encode_call(call.function, call.arguments),
            gas=CALL_GAS,
        )
        return explanation_of(error) if error is not None else None
