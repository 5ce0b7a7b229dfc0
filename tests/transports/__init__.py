"""Reaching hosts, held against real servers and against those that misbehave."""
