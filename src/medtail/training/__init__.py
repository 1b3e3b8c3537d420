"""Training: recipes, and the loop around a method."""
