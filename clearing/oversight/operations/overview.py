"""What the operator looks at: the queue, the batches on their way, the daemons, the node, and the last reconciliation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from clearing.chain.client import ChainClient, NewestBlock
from clearing.chain.errors import ChainError, ChainUnreachable
from clearing.ledger.journal.models import Block
from clearing.ledger.journal.repository import BlockRepository
from clearing.ordering.orders.models import Order
from clearing.oversight.operations.repository import OverviewRepository, Queue
from clearing.oversight.reconciliation.models import Reconciliation
from clearing.oversight.reconciliation.report_repository import ReportRepository
from clearing.pipeline.leadership import has_leader
from clearing.pipeline.models import Transaction
from clearing.pipeline.switches.models import Switch
from clearing.pipeline.switches.repository import SEQUENCING, SwitchRepository

_ORDERS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Overview:
    """The network at work, as it is now."""

    queue: Queue
    oldest_orders: Sequence[Order]
    """Those that have waited longest for a batch; a few of them."""
    in_flight: Sequence[Transaction]
    pause: Switch | None
    """Who stopped the batches, when and why; None while they go on."""
    has_sequencer: bool
    has_projector: bool
    projected: Block | None
    """The newest block in the read model."""
    node: NewestBlock | None
    """The newest block of the node; None where it does not answer."""
    reconciliation: Reconciliation | None
    """The newest one."""

    @property
    def lag(self) -> int | None:
        """How many blocks the read model is behind the node; None where one of them has none."""
        if self.node is None or self.projected is None:
            return None
        return max(0, self.node.number - self.projected.number)


class OverviewService:
    """The operator's overview in one session. Reads only."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def now(self, node: NewestBlock | None) -> Overview:
        """What there is to see now. It costs the same however much has happened. `node` is what `newest_block` said before the
        session began: a node that is slow to answer must not keep a transaction open."""
        overview = OverviewRepository(self._session)
        return Overview(
            queue=overview.queue(),
            oldest_orders=overview.oldest_waiting(_ORDERS_SHOWN),
            in_flight=overview.in_flight(),
            pause=self.pause(),
            has_sequencer=has_leader(self._session, "sequencer"),
            has_projector=has_leader(self._session, "projector"),
            projected=BlockRepository(self._session).last(),
            node=node,
            reconciliation=ReportRepository(self._session).newest(),
        )

    def pause(self) -> Switch | None:
        """Who stopped the batches, when and why; None while they go on."""
        return SwitchRepository(self._session).off(SEQUENCING)


def newest_block(chain: ChainClient) -> NewestBlock | None:
    """The node's newest block; None where it does not answer."""
    try:
        return chain.newest_block()
    except (ChainError, ChainUnreachable):
        return None
