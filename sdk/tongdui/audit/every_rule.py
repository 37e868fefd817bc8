"""Every rule that an audit checks, by its code, in a sentence that says what holds."""

from __future__ import annotations

from . import rules
from .chain import code, node, proving, storage
from .replay.rules import RULES as OF_THE_REPLAY

RULES = {**node.RULES, **proving.RULES, **OF_THE_REPLAY, **storage.RULES, **code.RULES, **rules.RULES}
