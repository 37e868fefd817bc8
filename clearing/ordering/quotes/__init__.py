"""Quotes: amounts, rate and fee of an exchange or a spend, locked for a while."""
