"""Accounts: a member's balance in a program, posted on chain and reserved by pending orders."""
