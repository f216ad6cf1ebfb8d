"""Comparing a replica with its primary as of one and the same position: definitions, then rows by key range."""
