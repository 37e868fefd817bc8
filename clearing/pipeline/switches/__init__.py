"""Switches: parts of the network that the operator can turn off."""
