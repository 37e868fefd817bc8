"""Refused messages of devices over HTTP."""
