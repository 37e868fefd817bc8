"""Liquidity: merchants are warned before they can no longer pay."""
