"""Availability: which of an account's posted points a new order may use."""
