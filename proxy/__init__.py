"""The data plane: one MySQL-protocol port in front of a primary and its read replicas."""
