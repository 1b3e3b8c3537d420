"""What decides how much can be shown of each class."""

#: From here on, classes are shown in figures and folded tables, and confusion cells lose their text.
MANY_CLASSES = 20

#: At most so many classes have a colour of their own.
CLASSES_IN_COLOUR = 8
