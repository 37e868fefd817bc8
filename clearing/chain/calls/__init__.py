"""Privileged calls of the contract: who asked for which, and what became of it."""
