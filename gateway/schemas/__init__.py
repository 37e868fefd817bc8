"""What requests and answers look like: one file a concept, as in `clearing`."""
