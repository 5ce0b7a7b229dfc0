"""Real parts for tests: a private sshd, a network namespace, and servers that misbehave."""
