"""What sales have earned, as it is booked: awards, what returns took back, budgets and remainders."""
