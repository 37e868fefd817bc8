"""Mails that wait to be sent: a row is written in the transaction of what the mail reports, and a job sends it afterwards."""
