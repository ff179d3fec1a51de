"""Storage: the tables of an index, their one definition, and where they live."""
