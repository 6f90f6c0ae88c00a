"""What a mount does beside what a local folder does, as a table that one command makes: `make conformance`.

`suites` says which tests it is made of, `report` what a row is and how the page shows it, `recording` how a test that
counts by itself (a random story, say) tells its row.
"""
