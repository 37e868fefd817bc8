"""Agreements: versioned, dual-signed terms between two merchants."""
