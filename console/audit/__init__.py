"""Who did what to the network."""
