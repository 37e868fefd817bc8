"""What every part stands on: settings, clock, database, ids, errors, metrics. Nothing of the programme's rules."""
