"""Plans of every kind on pages: versions with their states, drafts, publishing. A kind adds what its versions say."""
