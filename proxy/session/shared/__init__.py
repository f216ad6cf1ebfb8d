"""What all sessions of a process share, and what they tell of themselves."""
