"""How merchants hear of what happened."""
