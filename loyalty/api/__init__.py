"""What the programme offers over HTTP, one folder a concept."""
