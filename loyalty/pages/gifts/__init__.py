"""Gift plans: what is given on which occasion, in words, and drafts."""
