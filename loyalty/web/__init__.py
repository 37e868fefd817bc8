"""What pages of staff and of customers have in common: cookies, forms that act once, failures as pages, why there are points."""
