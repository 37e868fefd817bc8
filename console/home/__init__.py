"""What a merchant sees first in the morning."""
