"""Money: positions and credit, statements, deposits and withdrawals, and the settlement bank's files."""
