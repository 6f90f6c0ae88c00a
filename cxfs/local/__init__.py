"""What this machine remembers: plain blocking Python. No network, no trio."""
