"""The clearing house a second time, slow and plain: what the contract is compared with."""
