"""The commands of `clearing`: their arguments, and which action each of them calls.

To describe a command nothing of it is imported, so `--help` and a refusal of wrong settings take no time. A command imports its
action only when it runs.
"""
