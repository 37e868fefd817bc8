"""The cashier's page: scan, see what would happen, confirm with one key."""
