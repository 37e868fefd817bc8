"""Holds: points set aside for a while (pump running, seat chosen), then captured, released, or expired."""
