"""The one way through an audit."""
