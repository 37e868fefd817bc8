"""The journal: blocks, batches and entries as the chain posted them."""
