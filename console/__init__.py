"""Web pages for merchants, operator, treasury and auditor: a client of the gateway. Imports `tongdui` and `pages` only."""
