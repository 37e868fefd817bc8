"""What the operator sees and does: the queue, pausing, cancelling, the quarantine."""
