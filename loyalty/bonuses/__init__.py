"""Bonuses: points for something else than the lines of a sale, such as a task or a referral."""
