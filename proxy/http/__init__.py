"""The proxy's HTTP service: whether it is alive and ready, and its metrics."""
