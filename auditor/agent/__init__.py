"""The agent: named audits at their times, unattended, for years."""
