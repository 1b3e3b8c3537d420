"""Recipes: every setting of a run, from files on two axes and the user's changes."""
