"""Connections to servers: logging in there in a client's name, sending commands, following replies."""
