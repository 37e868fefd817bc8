"""Tasks, customers' progress and bonuses over HTTP."""
