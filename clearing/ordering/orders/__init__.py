"""Orders: what merchants sign, from acceptance to the final state."""
