"""The room `series`."""
