"""The schema of the programme's own database."""
