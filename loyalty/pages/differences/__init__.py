"""What the nightly check has found."""
