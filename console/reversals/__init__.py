"""Giving back: an earlier movement is undone, in whole or in part."""
