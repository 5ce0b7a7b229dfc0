"""Everything that reads bytes of others, given bytes that nobody would send."""
