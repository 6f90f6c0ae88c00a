"""cxfs beside its peers: the same work through every way to mount the same files. Measures; promises nothing.

`make bench` runs it, docs/performance.md says what it measures and how, and holds the figures of the last run. Nothing
here is part of the test suite: the tests of its pure parts are in tests/test_bench.py.
"""
