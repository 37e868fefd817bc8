"""A page with every component, and a form with every kind of field: for tests, and to look at."""
