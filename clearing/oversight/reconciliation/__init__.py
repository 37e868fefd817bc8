"""Reconciliation: do database, contract and events agree, and can the database be rebuilt from the events?"""
