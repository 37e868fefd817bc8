"""The chain replayed in the model: what the rules lead to, beside what the chain recorded."""
