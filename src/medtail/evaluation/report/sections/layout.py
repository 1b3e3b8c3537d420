"""How much can be shown of each class."""

#: With more classes than this, they have no colours of their own.
CLASSES_IN_COLOUR = 8
