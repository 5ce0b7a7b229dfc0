"""The report as a mail: the message, and handing it to a server."""
