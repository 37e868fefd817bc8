"""Where things are sold."""
