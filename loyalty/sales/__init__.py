"""What tills and devices recorded: sales, and returns that name their sale."""
