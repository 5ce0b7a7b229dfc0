"""How a Windows host is read: a file for each method, all of which give the same record."""
