"""Member codes: a member's consent that another merchant draws on its points, once, up to a ceiling, for a few minutes."""
