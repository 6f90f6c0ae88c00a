"""Foreign bytes, thrown at whatever reads some. `parser` is how one is described, `edits` how they are spoilt."""
