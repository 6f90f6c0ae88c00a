"""Which branches of each layer the tests take: `report` makes the table, `python -m tests.layers` runs the tests."""
