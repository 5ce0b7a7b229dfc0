"""What a run looks like: for people (HTML, text) and for programs (JSON)."""
