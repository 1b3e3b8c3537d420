"""After training: what leaves the run, for people without medtail."""
