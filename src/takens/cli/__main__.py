"""``python -m takens.cli`` does what the installed ``takens`` command does."""

from takens.cli import main

main()
