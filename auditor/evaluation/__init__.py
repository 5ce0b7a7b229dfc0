"""Facts held against rules: pure."""
