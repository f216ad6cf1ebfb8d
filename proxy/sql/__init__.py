"""What a statement is: text in, facts out. The only part of the project that knows sqlglot."""
