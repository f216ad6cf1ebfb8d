"""The command `manyreads`: proxy and replication kit under one name."""
