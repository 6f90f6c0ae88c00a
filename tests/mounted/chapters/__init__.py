"""What POSIX says of the calls on files, a module a chapter. Every case is lived through in a folder on a local disk,
which proves what is expected, and then in a mount.
"""
