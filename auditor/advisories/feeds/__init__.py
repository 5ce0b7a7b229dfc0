"""Linux distributors' feeds of advisories: a reader for each form, and where each release's advisories come from."""
