"""Privileged calls of the contract: who asks for which, and what became of it."""
