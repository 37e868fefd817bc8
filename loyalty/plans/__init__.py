"""Plans: what marketing writes as JSON (rule sets, tier schemes, tasks). A published version never changes."""
