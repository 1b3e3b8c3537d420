"""What methods with several branches are made of."""
