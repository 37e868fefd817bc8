"""The soak (`make soak`): a whole network under load while its parts are killed at random."""
