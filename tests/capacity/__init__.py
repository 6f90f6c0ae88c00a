"""What a server can carry: accounts of a million objects, and several processes over one database. `make capacity`."""
