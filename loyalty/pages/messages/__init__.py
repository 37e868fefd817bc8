"""Messages to customers: what became of each, their texts, and how they are sent."""
