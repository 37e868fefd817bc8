"""Privileged calls from the command line: tried out, asked about, made, and waited for."""
