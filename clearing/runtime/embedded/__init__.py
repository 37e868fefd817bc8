"""A whole network on one machine: chain, database, gateway and daemons, supervised by one process."""
