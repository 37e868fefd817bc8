"""The domain of the clearing network: rules and storage, no HTTP."""
