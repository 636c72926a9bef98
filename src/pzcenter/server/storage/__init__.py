"""Where the server keeps things: rows in a database, contents of files in a store."""
