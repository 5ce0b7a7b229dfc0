"""The benchmark behind `make bench`: how fast and how light `auditor` is, beside what people use today.

It is no test: it prints and asserts nothing, because a machine that is busy with something else must not
fail a build. Standard library only, so that it measures the product's dependencies and never its own.
"""
