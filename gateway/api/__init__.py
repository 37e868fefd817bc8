"""The API's routes: one file a concept. Each handler reads the request, calls a service or repository, and shows the result."""
