"""After training: everything here is a function of saved files, and none of it loads a model."""
