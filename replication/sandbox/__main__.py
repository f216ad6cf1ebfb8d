"""`python -m replication.sandbox`."""

from replication.sandboxing import main

if __name__ == "__main__":
    main()
