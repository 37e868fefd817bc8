"""Programs: points currencies, each issued by one merchant."""
