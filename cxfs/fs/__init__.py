"""Fs the file system without a kernel: joins remote and local by core's decisions."""
