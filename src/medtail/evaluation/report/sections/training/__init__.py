"""What the model learned from, and how."""
