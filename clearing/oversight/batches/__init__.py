"""Batches as people look at them: what the chain closed, in which block and transaction."""
