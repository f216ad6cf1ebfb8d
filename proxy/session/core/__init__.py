"""A session without I/O: bytes and values in, decisions out. Pure."""
