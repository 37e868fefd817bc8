"""What the operator does and sees: the queue, pausing, cancelling, events set aside, health."""
