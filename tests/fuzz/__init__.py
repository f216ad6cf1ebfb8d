"""Coverage-guided fuzzing of everything that reads a stranger's bytes: `python -m tests.fuzz`, or `make fuzz`."""
