"""The programme that a merchant runs for its customers: why they get points, what these are good for. A client of the network."""
