"""Reference data: what changes rarely and every request needs, held in memory and provably current."""
