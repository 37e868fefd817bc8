"""Processes: daemons, jobs, the embedded network, the command line."""
