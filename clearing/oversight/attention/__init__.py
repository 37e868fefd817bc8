"""Attention: what a merchant should look at today."""
