"""A merchant's entries with their receipts from nodes alone: reads every proven block of the contract, and writes the export."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from pathlib import Path

from .chain.code import network_of
from .chain.node import Node, find_behind, find_differing, require_same_chain
from .chain.reading import ChainReader
from .findings import CannotCheck
from .options import Options
from .report.export import Period, write_export


def export(options: Options, merchant: int, period: Period, path: Path) -> int:
    """Writes the entries of a merchant as a CSV file.

    Args:
        options: The nodes, the contract, the chain, and in how many processes to prove blocks. Nothing else of them counts.
        merchant: The merchant's number; 0 for the operator.
        period: The days of the network.
        path: The file. It is only there, or changed, when all of it was written.

    Returns:
        How many entries it has.

    Raises:
        CannotCheck: There is no such contract or merchant, a block proves nothing, or the nodes differ.
    """
    with ExitStack() as open_nodes:
        nodes = [open_nodes.enter_context(closing(Node(url, options.timeout))) for url in options.rpc]
        chain_id = require_same_chain(nodes, options.chain_id)
        last, _ = find_behind(nodes)
        for finding in find_differing(nodes, last):
            raise CannotCheck(
                f"The nodes do not have the same chain ({finding.subject}): find out which one is right, and ask that one alone."
            )
        network = network_of(nodes[0], options.contract, last)
        workers = os.cpu_count() or 1 if options.workers is None else options.workers
        reader = ChainReader(nodes, options.contract, workers, chain_id)
        with closing(reader.blocks(network.created, last)) as blocks:
            return write_export(path, merchant, period, blocks, network.utc_offset)
