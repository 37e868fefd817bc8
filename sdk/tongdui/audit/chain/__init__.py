"""What a node says, and how each piece of it proves itself."""
