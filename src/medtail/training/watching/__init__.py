"""What shows a training to people while it goes on: its first batch, and the loggers that follow it."""
