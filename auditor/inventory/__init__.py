"""Which hosts there are and how to reach them: the native YAML, the words of a call, ~/.ssh/config."""
