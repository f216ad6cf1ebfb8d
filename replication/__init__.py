"""The control plane: local servers, set-up, watching and mending of replicas."""
