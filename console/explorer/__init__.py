"""What the chain has recorded, for anyone to see and to check."""
