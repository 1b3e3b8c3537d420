"""Training on the features of a frozen network, which looks at every image once."""
