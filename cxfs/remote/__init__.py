"""CX, over HTTP: the only room that sends a request. Decides nothing about files."""
