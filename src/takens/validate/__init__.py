"""The room `validate`."""
