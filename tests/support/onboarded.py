"""The network of `Harness` as it is once its merchants are on board, made once and copied for each test: that takes a tenth of the
time, and a test cannot tell."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from clearing.kit.clock import Clock
from scripts.dev.services import Anvil
from tests.support.harness import Harness


class Onboarded:
    """A chain and a database's template at the moment when the merchants had been onboarded."""

    def __init__(self, chain: Anvil, database_url: str, directory: Path, copied: Callable[[Path], str]) -> None:
        """Makes them. `copied` copies the database, into a directory if it is a file, and returns the copy's address."""
        self._chain = chain
        self._directory = directory
        self._copied = copied
        network = Harness(database_url, chain.url, directory)
        network.onboard()
        network.close()
        self._contract, self._agreement = network.settings.contract, network.agreement
        self._moment = chain.rpc("evm_snapshot")

    def network(self, directory: Path, clock: Clock) -> Harness:
        """A network on the shared chain, from which all that was done meanwhile has vanished."""
        assert self._chain.rpc("evm_revert", self._moment) is True
        self._moment = self._chain.rpc("evm_snapshot")
        self._chain.rpc("evm_setTime", int(clock.unix() * 1_000))
        shutil.copytree(self._directory / "keys", directory / "keys")
        network = Harness(self._copied(directory), self._chain.url, directory, clock, contract=self._contract)
        network.agreement = self._agreement
        return network
