"""The SQLite history: runs, what each target was found to be, and the facts behind it."""
