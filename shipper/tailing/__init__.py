"""Files become blocks of whole records, whatever is done to the files."""
