"""The pages of customers, phone first: what they have, what is missing, why, and what they agreed to."""
