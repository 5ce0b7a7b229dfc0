"""WinRM by pywinrm."""
