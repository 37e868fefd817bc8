"""Seasons: stations' days and their quiet weeks."""
