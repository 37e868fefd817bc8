"""What an audit must find: lies of a node, and things that really stand on a chain though the contract would not do them."""
