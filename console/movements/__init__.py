"""Movements of points: what a merchant gave and received, and what became of each."""
