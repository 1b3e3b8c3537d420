"""Dividing images among training, validation and test."""
