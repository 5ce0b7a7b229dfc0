"""Vendors' documents, read as they were published, and the rules taken from them."""
