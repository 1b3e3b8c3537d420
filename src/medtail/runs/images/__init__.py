"""What a run keeps of its images besides predictions."""
