"""One module per command; each turns arguments into calls of the client, and answers into lines."""
