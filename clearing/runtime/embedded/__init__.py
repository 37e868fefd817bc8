"""A whole network on one machine: chain, database, gateway and daemons, supervised by one process."""

from pathlib import Path

DIRECTORY = Path(".tongdui")
"""Where `clearing up` keeps a network, unless it is told otherwise."""
