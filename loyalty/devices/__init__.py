"""Devices of stations: pumps, wash bays, plate cameras, card readers, tills; each with a key of its own."""
