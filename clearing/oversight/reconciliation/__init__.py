"""Do the database, the contract and the contract's events say the same, and can the first be made again from the last?"""
