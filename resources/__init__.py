"""What the program brings along besides code."""
