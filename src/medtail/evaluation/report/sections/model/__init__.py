"""What the trained model is like inside, and at other λ and operating points."""
