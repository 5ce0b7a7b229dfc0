"""What auditor stands on and what knows nothing of auditing."""
