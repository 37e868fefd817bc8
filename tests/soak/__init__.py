"""The parts of the soak (scripts/soak.py): the load, what is killed, memory, and what must be true afterwards."""
