"""When a seasonal fund helps a station."""
