"""One module a reader, with the attribute READER."""
