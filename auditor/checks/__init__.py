"""What a rule can ask of a host: one file for each kind of check, all of them listed in registry.py. Pure."""
