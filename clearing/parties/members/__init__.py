"""Members: one identity a customer, known to each merchant by the merchant's own external id."""
