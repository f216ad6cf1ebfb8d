"""One client's session: login, commands in, replies out."""
