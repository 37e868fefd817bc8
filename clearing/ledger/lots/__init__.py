"""Lots: points issued together with one expiry date. No table stores them: replaying the chain's entries yields them."""
