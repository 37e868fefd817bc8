"""What an issuer owes for its points, in the terms of IFRS 15. docs/liability.md says method and source."""
