"""Sales, what they earned, and what came back of them."""
