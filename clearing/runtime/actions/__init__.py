"""What the commands do: they check the settings, do the work, show the outcome and return the exit code."""
