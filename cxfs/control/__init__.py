"""The control socket of a mount: asks a running daemon, from the command line. Knows verbs by name, and none itself.

`protocol` is what is said, `place` where the socket is, `server` the daemon's side (trio), `client` the other (plain
blocking sockets, so that a command answers at once).
"""
