"""Devices over MQTT: the same events as over HTTP, by a broker."""
