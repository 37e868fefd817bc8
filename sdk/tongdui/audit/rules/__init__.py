"""What no contract checks: which points expire when, cycles of rates, keys and their roles, the bank. Each file is a watcher."""
