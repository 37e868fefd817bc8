"""Messages: channels, texts, timing, and what customers are told."""
