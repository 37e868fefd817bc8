"""Activity: what merchants issued, redeemed, spent, exchanged and reversed, as daily totals that the projector keeps."""
