"""Who works here: how they are invited, sign in with a password and a one-time code, and stay signed in."""
