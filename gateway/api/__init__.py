"""The API: one folder a concept, with its routes, schemas and view. A route calls a service, and a view shows the result."""
