"""Where a statement goes: a pure decision from its facts, the session's state, and what is known of the servers."""
