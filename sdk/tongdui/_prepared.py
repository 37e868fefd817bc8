"""An order that is ready to be sent, and can be kept until it is."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PreparedOrder:
    """An order with all that the gateway needs of it. Keep it before you submit it: after a crash the same bytes can come again.

    Attributes:
        content: The request's body, with the signature if the client has a signer.
        idempotency_key: The key under which it has one effect.
        nonce: The nonce that it is signed with; None if the gateway signs.
        deadline: When it can no longer take effect, in Unix seconds; None if the gateway signs.
    """

    content: bytes = field(repr=False)
    idempotency_key: str
    nonce: int | None = None
    deadline: int | None = None
