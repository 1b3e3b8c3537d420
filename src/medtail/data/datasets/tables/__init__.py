"""Tables of labels: their files, columns, images and labels."""
