"""Getting feeds: where each lies, over HTTP with limits, and what its publisher says its bytes are."""
