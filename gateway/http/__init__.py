"""The life of a request, whatever it asks for."""
