"""Why a customer gets points: rule sets, their evaluation, explanation, undoing and simulation. Pure: no clock, no database."""
