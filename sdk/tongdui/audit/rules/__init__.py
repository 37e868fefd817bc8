"""What no contract checks: which points expire when, cycles of rates, keys and their roles, the bank. Each file is a watcher."""

from . import bank, cycles, lots, roles, succession

RULES = {**lots.RULES, **cycles.RULES, **roles.RULES, **bank.RULES, **succession.RULES}
"""Each rule by its code, in a sentence that says what holds."""
