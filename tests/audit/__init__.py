"""The auditor's kit."""
