"""How a Windows host is read: a file for each way, all of which give the same record."""
