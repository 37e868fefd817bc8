"""Messages to customers, their kinds and how they are sent."""
