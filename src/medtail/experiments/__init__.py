"""Many runs of one data set: planning them and training what is missing."""
