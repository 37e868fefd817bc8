"""The network at work: what waits, what is on its way, pausing, and chain events that could not be applied."""
