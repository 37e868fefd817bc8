"""Tasks: goals in words, drafts, and how they go."""
