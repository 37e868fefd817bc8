"""The commands of the auditor's kit."""
