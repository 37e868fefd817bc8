"""Agreements: versioned terms between two merchants, signed by both."""
