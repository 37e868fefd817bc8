"""Customers: by what they are known, what they agreed to, and why they have their points."""
