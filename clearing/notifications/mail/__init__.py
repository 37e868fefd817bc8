"""Sending mails over SMTP: at least once each, tried again for a day, then given up with an event."""
