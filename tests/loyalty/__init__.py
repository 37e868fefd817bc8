"""The programme that a merchant runs."""
