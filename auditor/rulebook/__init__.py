"""Rules: their form, how they are read, what people change in them."""
