"""Agreements: terms between two merchants, from the first idea to their end, and the network's rates as a graph."""
