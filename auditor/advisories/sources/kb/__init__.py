"""Microsoft Knowledge Base articles."""
