"""What every wing builds on: database, clock, ids, errors, locks, events, idempotency, signing, metrics."""
