"""Points that go from one member to another."""
