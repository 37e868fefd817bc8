"""The life of a request: who calls, what it may do, one transaction, one effect, problem documents."""
