"""Random sequences of statements that change session state, run on a server and through the proxy, step by step."""
