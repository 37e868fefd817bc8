"""Points whose lots are over: reserved for burning, burnt, and announced beforehand."""
