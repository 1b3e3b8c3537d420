"""Numbers from saved predictions."""
