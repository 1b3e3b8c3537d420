"""How weights move: optimizers, their parameter groups, and schedules of the learning rate."""
