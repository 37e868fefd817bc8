"""What is wrong with the network now, and what to do about it."""
