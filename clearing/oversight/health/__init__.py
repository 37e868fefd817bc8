"""Health: whether every part of the network does its work."""
