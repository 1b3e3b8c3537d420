"""How well the model recognises the test images."""
