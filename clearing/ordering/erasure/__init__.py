"""Erasure: a member is forgotten, and the chain's pseudonym leads to nobody any more."""
