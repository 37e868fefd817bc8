"""How often somebody has tried something of late, by whom it was tried and from where: whoever tries too often waits."""
