"""Refused messages of devices: as they came, why, and what a person decides."""
