"""Snapshots of a frozen clearing house, which its successor takes over leaf by leaf."""
