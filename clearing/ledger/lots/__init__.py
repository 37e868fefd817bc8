"""Lots: points issued together with one expiry date. They are stored nowhere: the chain's entries, replayed, are the lots."""
