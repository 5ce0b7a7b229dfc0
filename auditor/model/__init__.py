"""The records that travel through auditor: frozen and typed; `None` is *not known*, `()` is *known to be empty*."""
