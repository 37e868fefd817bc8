"""When a station sells least, and what a seasonal fund costs then."""
