"""Quotes: amounts, rate and fee of an exchange, locked for a while."""
