"""Who may do what: keys with a role each."""
