"""HTTP edge of the clearing network: routes, schemas, authentication, console pages; no rules."""
