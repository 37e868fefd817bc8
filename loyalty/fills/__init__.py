"""What devices saw: events, and the fills that they make up. A fill becomes exactly one sale."""
