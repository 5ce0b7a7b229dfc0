"""The remote registry over SMB."""
