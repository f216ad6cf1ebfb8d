"""`python -m replication.sandbox`."""

from replication.sandbox.commands import main

if __name__ == "__main__":
    main()
