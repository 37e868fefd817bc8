"""What customers owe, and what is written off."""
