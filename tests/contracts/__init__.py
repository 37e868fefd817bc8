"""The contract on a real chain, held against the reference model and the SDK."""
