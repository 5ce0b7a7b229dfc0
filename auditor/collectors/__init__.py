"""What to ask of a host, and how to read the answer."""
