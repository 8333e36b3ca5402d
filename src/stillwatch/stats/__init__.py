"""Arrays in, numbers out: exact tests, e-values, sequential tests, multiplicity, intervals."""
