"""What glibc's allocator does with memory. Other C libraries have neither these calls nor these heaps."""

from __future__ import annotations

import ctypes
import gc


def share_one_heap() -> None:
    """Let all threads allocate from one heap (mallopt(3), M_ARENA_MAX). glibc gives every thread a heap of its own, which under
    one interpreter lock wastes about 10 MB at 32 threads."""
    try:
        ctypes.CDLL(None).mallopt(-8, 1)
    except (AttributeError, OSError):
        pass  # not glibc


def give_memory_back() -> None:
    """Return freed memory to the system (malloc_trim(3)); glibc would keep it until the next audit."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError):
        pass  # not glibc
