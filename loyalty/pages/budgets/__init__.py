"""What budgets have paid, against their limits."""
