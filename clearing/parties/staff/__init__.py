"""Staff: the people who work with the network, what they may do, and how they sign in.

- `titles`         what a person on a seat may do
- `models`         the tables
- `people`         who is there: seats, titles, disabling
- `invitations`    how somebody new gets a seat
- `oidc`           signing in at another issuer
- `issuer`         that issuer: what it says of itself, and asking it
- `first_operator` whom a new network begins with
- `credentials`    what a person changes about its own password and second factor
- `passwords`      good passwords, and how they are stored
- `second_factor`  one-time codes of an app, and recovery codes
- `sign_in`        from a password (or another issuer's word) to a session; counts who tries too often
- `sessions`       what a session may do, where a person is signed in, and how that ends
- `password_resets` a new password by mail
- `tries`          how often somebody may try
- `bearers`        who is calling: an API key or a person
- `directory`      names of people, in memory, for the audit log
"""
