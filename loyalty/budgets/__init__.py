"""Budgets: what rules and tasks may cost, and what they have paid."""
