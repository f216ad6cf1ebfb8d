"""From a client's first byte to its session."""
