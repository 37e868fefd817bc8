"""What a customer has, what expires, the way to the next tier, and tasks."""
