"""Why a customer has their points: sales, bonuses, and what came back."""
