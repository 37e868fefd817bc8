"""The only place that talks to the network: wishes, the sender, what became of them, the nightly check."""
