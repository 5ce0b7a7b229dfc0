"""Is this version older than that one: one file per ecosystem, each a total order with its source named."""
