"""Programs: points currencies, each run by one merchant."""
