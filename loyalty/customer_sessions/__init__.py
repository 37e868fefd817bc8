"""Customers as visitors of their pages: they sign in by a one-time code, and stay signed in."""
