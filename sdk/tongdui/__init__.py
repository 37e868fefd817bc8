"""SDK of the Tongdui clearing network."""
