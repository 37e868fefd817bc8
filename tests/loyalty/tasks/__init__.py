"""Tasks: goals, rounds, bonuses."""
