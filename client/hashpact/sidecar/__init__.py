"""A replica's look-ups and hashing behind plain HTTP on this machine, with a memory of what it could not do at once."""
