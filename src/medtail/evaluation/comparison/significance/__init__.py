"""Whether a difference between two rows is more than luck, in numbers and in words."""
