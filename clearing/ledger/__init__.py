"""What everybody has: accounts, lots, positions, and the journal that proves them."""
