"""Rule sets: drafts, versions, examples, simulation."""
