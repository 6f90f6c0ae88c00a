"""What may be wrong with this machine, its mounts and its account, each with what to do about it. Mends nothing.

`findings` are the words, `machine`, `mountpoints` and `account` the three places that are looked at. Each look is told
where to look, so that a test can plant what it finds. No living mount is touched: its daemon is asked.
"""
