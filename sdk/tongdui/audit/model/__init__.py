"""The clearing house in plain Python. The audit replays the chain in it; the tests of the contract drive it beside the contract."""
