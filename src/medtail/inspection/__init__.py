"""Inspection of a data set before training: what is wrong or risky, and which recipe suits it."""
