"""Members: one identity per customer, which each merchant knows by its own external id."""
