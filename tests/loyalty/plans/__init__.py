"""Plans of every kind."""
