"""What several tests need: a replicating cluster, a running proxy, the servers' own counters."""
