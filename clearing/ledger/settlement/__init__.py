"""Settlement: merchants' positions and the money that comes in and goes out through the settlement bank."""
