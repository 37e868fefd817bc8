"""What the operator can turn off."""
