"""What was broken on purpose, and what came of it, as a table that one command makes: `make reliability`.

`proofs` says which tests it is made of and what each kind of trouble must not do; `__main__` runs and counts them.
"""
