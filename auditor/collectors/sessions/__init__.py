"""How each kind of session is read: one file per kind."""
