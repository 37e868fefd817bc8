"""A privileged call that a person asks for: what it is, who may make it, and what it changes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Power(StrEnum):
    """Whose key the contract wants for a call."""

    OWNER = "owner"
    NEXT_OWNER = "next owner"
    OPERATOR = "operator"
    PAUSER = "pauser"
    ANYONE = "anyone"


class NetworkRequest(StrEnum):
    """Events of what was asked for that concerns the whole network."""

    PAUSE = "contract.pause_requested"
    RESUME = "contract.resume_requested"
    ROLE_GRANT = "contract.role_grant_requested"
    ROLE_TAKE = "contract.role_take_requested"
    OWNER_PROPOSAL = "contract.owner_proposal_requested"
    OWNER_ACCEPTANCE = "contract.owner_acceptance_requested"
    FREEZE = "contract.freeze_requested"


class MerchantRequest(StrEnum):
    """Events of what was asked for that concerns a merchant, which is told."""

    SUSPENSION = "merchant.suspension_requested"
    RESUMPTION = "merchant.resumption_requested"
    CLOSURE = "merchant.closure_requested"
    REVOCATION = "merchant.signer_revocation_requested"
    RECOVERY = "merchant.signer_recovery_requested"
    KEY_CHANGE = "merchant.signer_change_requested"
    PROGRAM_PAUSE = "program.pause_requested"
    PROGRAM_RESUMPTION = "program.resumption_requested"
    ISSUANCE_CAP = "program.issuance_cap_requested"


@dataclass(frozen=True, slots=True)
class Termination:
    """What one merchant has signed about an agreement: that it ends at this moment (Unix seconds)."""

    agreement: str
    merchant: str
    effective_at: int
    signature: bytes
    """64 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivilegedCall:
    """A call, as it would be now."""

    what: str
    """What it does, as in `suspend merchant Gas (mer_..., number 3)`."""
    function: str
    arguments: list[Any]
    """JSON values; bytes as 0x-prefixed hex."""
    power: Power
    event: NetworkRequest | MerchantRequest | Termination
    """The event of who asked for it. A termination has one of its own, with the whole agreement."""
    subject: str
    """The id of what it is done to."""
    merchant: int | None = None
    """The number of the merchant that it concerns."""
    before: dict[str, Any]
    after: dict[str, Any]
    """The same fields, as JSON values."""
    notes: tuple[str, ...] = ()
    """What a person should know before saying yes, in sentences."""

    @property
    def changes_nothing(self) -> bool:
        """Whether all is as it should be already."""
        return self.before == self.after
