"""What the data plane and the control plane both know: which servers exist, and how well they are."""
