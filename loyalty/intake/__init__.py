"""Takes in what tills and devices send: a sale earns, a return takes back, each once, in whatever order they arrive."""
