"""The people of a merchant, or of the network itself."""
