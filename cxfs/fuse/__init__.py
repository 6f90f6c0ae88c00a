"""The kernel's side: inode numbers in, attributes and errno out. No rule about files lives here."""
