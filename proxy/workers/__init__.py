"""Several processes that are one proxy: a parent that watches the servers, and workers that serve the clients."""
