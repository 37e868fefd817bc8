"""Fills: what pumps and wash bays gave out, for whom, and as which sale."""
