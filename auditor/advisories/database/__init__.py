"""The advisory database: what the distributions' feeds say, ready to be held against packages."""
