"""Whether a network's books balance: the auditor's kit proves the chain, and the gateway must say the same."""

from __future__ import annotations

from tongdui import Client
from tongdui.audit.options import Options
from tongdui.audit.run import audit


def assert_books_balance(rpc_url: str, contract: str, auditor: Client) -> None:
    """All holds on the chain; the gateway has every entry with its receipt, and every position.

    Args:
        rpc_url: A node.
        contract: The clearing house.
        auditor: A client with the auditor's API key.
    """
    outcome = audit(Options((rpc_url,), contract.lower(), workers=0), lambda _: None)
    assert outcome.findings == ()
    figures = outcome.report.figures
    receipts = {auditor.entries.receipt(entry.leaf).leaf for entry in auditor.entries.list(page_size=200)}
    assert len(receipts) == {row.what: row.count for row in figures.counts}["entries"]
    said = {position.merchant: position.position_micros for position in auditor.positions.list()}
    assert sorted(said.values()) == sorted(row.position_micros for row in figures.merchants)
