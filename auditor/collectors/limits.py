"""What is read of an answer at the most, before anything is parsed. What passes a limit is not read at all: a part of it
would look like the whole.

Honest hosts stay far below: a large server has 5,000 packages, 2,000 listening sockets, 10,000 processes.
"""

from __future__ import annotations

MAX_LINE = 4096  # characters of any line
MAX_NAME = 300  # characters of a name: of a package, a process, a path is a line
MAX_ROWS = 60_000  # lines of any section
MAX_PACKAGES = 40_000
MAX_LISTENERS = 10_000
