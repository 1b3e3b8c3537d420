"""Which files below a folder are images: those that names stand for, masks, and series of slices."""
