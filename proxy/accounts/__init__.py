"""Who may log in: the primary's own accounts, or those of the configuration."""
