"""The chain: reading blocks, sending transactions, and keeping the read model in step with it."""
