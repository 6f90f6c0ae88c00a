"""Fuse the kernel's side: numbers in, errno out. No rule about files lives here."""
