"""Labels that held-out predictions doubt."""
