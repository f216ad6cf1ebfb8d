"""The suites of SQLAlchemy and Django, with and without the proxy: `python -m tests.suites`, `make suites`."""
