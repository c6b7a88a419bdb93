"""Given files, once, to their end."""
