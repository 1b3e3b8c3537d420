"""Where in an image a decision comes from: heat maps of a trained model, as arrays and as pictures."""
