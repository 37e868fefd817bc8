"""The comparison behind every check of what the gateway or the chain says."""

from __future__ import annotations

from ._errors import VerificationError


def require_same(check: str, message: str, expected: object, found: object) -> None:
    """Refuse a value that is not what it should be.

    Args:
        check: The name of the check.
        message: What it means when the two differ.
        expected: What should be there.
        found: What is there. In text, case makes no difference: addresses and hashes are written in both.

    Raises:
        VerificationError: The two differ.
    """
    left = expected.lower() if isinstance(expected, str) else expected
    right = found.lower() if isinstance(found, str) else found
    if left != right:
        raise VerificationError(check, message, expected=expected, found=found)
