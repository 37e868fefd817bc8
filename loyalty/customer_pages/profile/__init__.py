"""What the programme knows of a customer, and what they agreed to."""
