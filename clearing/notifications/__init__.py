"""How merchants are notified of what happened."""
