"""Looking at the whole: operations, reconciliation, statements, liquidity."""
