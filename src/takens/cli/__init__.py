"""The `takens` command. Nothing above Typer is imported until a command runs."""

from __future__ import annotations


def main() -> None:
    """Run the command line; the entry point of the installed ``takens`` command."""
    from takens.cli.app import app

    app(prog_name="takens")
