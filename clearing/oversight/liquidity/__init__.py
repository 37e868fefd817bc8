"""Liquidity: merchants are warned before they cannot pay any more."""
