"""The auditor's kit: everything proven from the chain alone. `pip install tongdui[audit]`, then `tongdui audit run`.

It needs a node's JSON-RPC and the contract's address, and believes neither the gateway nor, as far as proofs reach, the node.

| package | holds |
|---|---|
| `chain/` | what a node says, and how each piece of it proves itself: blocks, transactions, events, calls, storage, code |
| `model/` | the rules of the contract in plain Python |
| `replay/` | the chain replayed in the model, block after block |
| `rules/` | what no contract checks: lots, rate cycles, keys and their roles, the bank |
| `liability/` | what an issuer owes, in the terms of IFRS 15 |
| `report/` | what was found, as HTML, JSON and CSV, and the auditor's signature |
"""
