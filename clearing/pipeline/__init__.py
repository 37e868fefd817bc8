"""Between the orders and the chain: the sequencer writes blocks, the projector reads them."""
