"""Approvals: what one person asks for takes effect only when another person approves it."""
