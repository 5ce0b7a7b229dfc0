"""Vendors' documents, a folder for each publisher."""
