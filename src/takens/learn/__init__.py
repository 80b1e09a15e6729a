"""The room `learn`."""
