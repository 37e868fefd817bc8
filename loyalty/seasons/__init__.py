"""When a station sells least: its days, counted at night, and the weeks for which a seasonal fund is suggested."""
