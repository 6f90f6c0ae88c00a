"""Mutation testing: whether the tests of what decides, and of the journal, notice when it is changed in one place.

`results` reads what mutmut has found, `report` makes the tables of it, `python -m tests.mutation` does both and says
what survived without a reason in `explained.toml`. `canaries` are changes that mutmut does not make.
"""
