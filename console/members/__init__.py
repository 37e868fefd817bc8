"""Members: who they are to the merchant, what points they have, and what can be done for them."""
