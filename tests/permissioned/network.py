"""An operator's site on a real chain: what is deployed, what runs, and what is seen of the nodes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import func, select

from clearing.kit.config import RATE_LIMITS, Settings, variable
from clearing.kit.events.models import Event
from clearing.ledger.journal.models import Entry
from scripts.dev.services import HOST, Postgres, free_port
from tests.permissioned.geth import Chain, Geth
from tests.soak.checks import Findings
from tests.support.operated import OperatedNetwork

PROCESSES = ("gateway", "sequencer", "projector", "signer")
CEILING_WEI = 100 * 10**9
_CHANGE = "another chain node is used"


class Figure(NamedTuple):
    """Something that was measured."""

    name: str
    value: float
    unit: str


class Network(OperatedNetwork):
    """A clearing network on a chain of geth nodes: PostgreSQL, and each process by its own command."""

    def __init__(self, chain: Chain, server: Postgres, directory: Path) -> None:
        self.chain = chain
        self.preferred, self.other = chain.rpc_nodes
        """The node that all processes use while it is well, and the next one."""
        port = free_port()
        settings = Settings.model_validate(
            {
                "database_url": server.new_database(f"permissioned_{chain.chain_id}"),
                "rpc_url": ",".join(node.url for node in chain.rpc_nodes),
                "chain_id": chain.chain_id,
            }
        )
        environment = {
            "TONGDUI_DATABASE_URL": settings.database_url,
            "TONGDUI_RPC_URL": settings.rpc_url,
            "TONGDUI_RPC_TIMEOUT": "5",
            "TONGDUI_CHAIN_ID": str(chain.chain_id),
            "TONGDUI_KEYSTORE_DIR": str(directory / "keys"),
            "TONGDUI_GATEWAY_PORT": str(port),
            **{variable(name): "0" for name in RATE_LIMITS},  # one key does the work of many
            **({"TONGDUI_MAX_FEE_PER_GAS": str(CEILING_WEI)} if chain.has_fees else {}),
        }
        super().__init__(directory, f"http://{HOST}:{port}", settings, environment)
        self._starts = 0
        self.figures: list[Figure] = []
        """What was measured."""

    def begin_to_deploy(self, admin: str) -> None:
        """`clearing deploy`, killed as soon as its first transaction waits for a block."""
        with self.site.begin("deploy") as process:
            self.chain.until("the deployment is sent", lambda: self.preferred.pending_nonce(admin) > 0)
            process.kill()

    def start(self, confirmations: int = 0) -> None:
        """Starts all processes, anew if they run, and waits until the gateway says that all is well."""
        self.site.stop_all()
        self._starts += 1
        for name in PROCESSES:
            command = (name,) if name == "gateway" else ("clearing", name)
            self.site.start(f"{name}-{self._starts}", *command, TONGDUI_CONFIRMATIONS=str(confirmations))
        self.await_health()

    def reopened(self) -> int:
        """How often an order that had been reported as settled was reported as open again."""
        return self.count(select(func.count()).select_from(Event).where(Event.type == "order.reopened"))

    def fallen(self) -> int:
        """How many blocks that had been read fell out of the chain."""
        logs = self.site.directory.glob("projector-*.log")
        return sum(log.read_text().count("block fell out of the chain") for log in logs)

    def leaves(self) -> set[str]:
        """The entries that are reported now."""
        with self.database.reading() as session:
            return {"0x" + leaf.hex() for leaf in session.scalars(select(Entry.leaf))}

    def await_in_use(self, node: Geth) -> None:
        """Waits until sequencer and projector say that they ask a node."""
        self.chain.until(f"{node.title} is in use", lambda: set(self._in_use()) == {node.url})

    def _in_use(self) -> Iterator[str]:
        for name in ("sequencer", "projector"):
            lines = (self.site.directory / f"{name}-{self._starts}.log").read_text().splitlines()
            changes = [json.loads(line) for line in lines if _CHANGE in line]
            yield f"http://{changes[-1]['node']}" if changes else self.preferred.url

    def audit(self, findings: Findings) -> None:
        """`tongdui audit run` over both nodes."""
        done = subprocess.run(
            [Path(sys.executable).parent / "tongdui", "audit", "run", "--rpc", self.preferred.url, "--rpc", self.other.url,
             "--contract", self.settings.contract, "--chain-id", str(self.chain.chain_id)],
            capture_output=True, text=True, check=False, env=self.site.environment,
        )  # fmt: skip
        detail = f"exit code {done.returncode} {done.stdout} {done.stderr}"
        findings.check("`tongdui audit run` over two nodes", detail, done.returncode == os.EX_OK)

    def verify(self, leaves: set[str], node: Geth) -> None:
        """Checks receipts on a node, when it has the newest blocks. Raises VerificationError."""
        self.chain.await_agreement()
        for leaf in leaves:
            receipt = self.auditor.entries.receipt(leaf)
            receipt.verify(rpc_url=node.url, contract=self.settings.contract, chain_id=self.chain.chain_id)
