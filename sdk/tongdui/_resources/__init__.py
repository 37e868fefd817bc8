"""The gateway's resources, one class each, written once for both clients."""
