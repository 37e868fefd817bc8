"""Devices and what they post over HTTP."""
