"""Tasks: goals with progress, which give bonuses."""
