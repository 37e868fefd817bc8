"""What an audit found, as one HTML page, JSON and CSV, signed by the auditor; and the export of a merchant's entries."""
