"""Who buys: cards, phones, plates, consents; and what is forgotten of whoever leaves."""
