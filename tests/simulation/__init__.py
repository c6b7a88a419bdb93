"""A host in memory: a file system with faults, a virtual clock, kills; and what must hold whatever happens."""
