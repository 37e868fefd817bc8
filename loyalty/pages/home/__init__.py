"""What a person sees first: what waits for a decision."""
