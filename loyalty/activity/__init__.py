"""What each customer bought on each day: what tiers are reckoned by."""
