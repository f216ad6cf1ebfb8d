"""Moving the primary's schemas, rows and accounts to a replica, over SQL alone."""
