"""Core decides: types, rules and tables. No I/O, no clock, no randomness, no logging."""
