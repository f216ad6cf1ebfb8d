"""Clients of one proxy whose servers are killed, frozen, cut off and changed; what they saw is checked."""
