"""Till files: handed in, what became of them, and what was not booked."""
