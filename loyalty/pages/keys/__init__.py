"""Keys of tills and other systems."""
