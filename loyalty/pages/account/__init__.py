"""One's own password, recovery codes and sessions."""
