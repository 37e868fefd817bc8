"""What the database keeps encrypted: whether passwords open it, and how it comes under another one."""
