"""The parts that a loss is composed of."""
