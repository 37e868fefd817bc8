"""Devices of stations: added with a key that is shown once, revoked, and what they posted."""
