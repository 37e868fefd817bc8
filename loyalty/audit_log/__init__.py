"""Who did what: actor, action, before and after. Rows are only ever added."""
