"""Local what this machine remembers: plain blocking Python, no network, no trio."""
