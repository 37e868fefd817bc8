"""Failures: why a daemon does not get on, for whoever asks how the network is."""
