"""Keys of staff and devices."""
