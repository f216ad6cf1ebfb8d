"""Has a session's requests run on server connections, and their replies delivered."""
