"""Orders: what merchants sign, from acceptance to its final state."""
