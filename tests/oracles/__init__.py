"""Independent second opinions: what the project says, worked out once more by other means."""
