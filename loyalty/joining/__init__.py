"""The front desk: somebody joins, and says more of themselves."""
