"""The watcher's HTTP service: health, status, metrics, events, and a page for people."""
