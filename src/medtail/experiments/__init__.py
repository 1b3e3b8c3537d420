"""Many runs on one data set: planning them, and training those that are missing."""
