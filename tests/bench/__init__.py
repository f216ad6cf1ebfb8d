"""`make bench`: what the proxy costs beside a bare forwarder, HAProxy and no middle at all, in one interleaved run."""
