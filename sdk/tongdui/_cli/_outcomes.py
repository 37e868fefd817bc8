"""How a command ends, and the error of wrong use."""

from __future__ import annotations

from tongdui._errors import TongduiError

GOOD = 0
"""What was asked for has happened."""
BAD = 1
"""There is an answer, and it is bad: refused, rejected, not valid, needs attention."""
NONE = 2
"""There is no answer: wrong use, or nobody answered."""


class WrongUseError(TongduiError):
    """The command cannot begin; the message says what to change."""
