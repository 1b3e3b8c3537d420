"""Before training: what is wrong or risky with a data set, and which recipe suits it."""
