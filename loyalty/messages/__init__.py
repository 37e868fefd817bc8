"""What customers are told: kinds and their texts, addresses, what waits, what was sent by which channel."""
