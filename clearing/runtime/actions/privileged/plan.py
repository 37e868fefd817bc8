"""The plan of a privileged call: made anew from what the contract says, as often as somebody asks what would change."""

from __future__ import annotations

from collections.abc import Callable

from clearing.chain.state import ContractState
from clearing.oversight.calls.call import PrivilegedCall

Plan = Callable[[ContractState], PrivilegedCall]
"""The call as it would be now; raises CannotRun for what is impossible."""
