"""Merchants: the legal entities of the network, with their signer keys."""
