"""Progress: what is still on its way to the chain."""
