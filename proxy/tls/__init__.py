"""The proxy's own certificate: given or self-made, and the TLS context that clients meet."""
