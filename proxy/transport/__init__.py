"""What can stand between a socket and a session: TLS, compression. To the session it looks like a transport."""
