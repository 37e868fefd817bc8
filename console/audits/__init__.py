"""Audits of the whole network from the chain alone, as jobs of the console's machine (docs/decisions/0048)."""
