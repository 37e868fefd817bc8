"""What merchants ask for: orders, quotes, holds, and the expiry of points."""
