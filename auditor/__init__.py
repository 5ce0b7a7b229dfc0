"""auditor: what each host of a fleet has of what the vendors' advisories ask for, told honestly."""

__version__ = "0.1.0"
