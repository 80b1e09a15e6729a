"""Reads the README: its commands and its Python example, so that both are run as written.

Run as a script it prints the part that is named: ``main-job``, ``test-command`` or ``example``.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"


def blocks(language: str) -> list[str]:
    """Fenced code blocks of the README in one language, in order."""
    return re.findall(
        rf"^```{language}\n(.*?)^```", README.read_text(encoding="utf-8"), re.M | re.S
    )


def part(name: str) -> str:
    """One named part of the README: the two shell commands come first, the example likewise."""
    if name == "example":
        return blocks("python")[0]
    index = {"main-job": 0, "test-command": 1}[name]
    return blocks("bash")[index].strip()


if __name__ == "__main__":
    print(part(sys.argv[1]))
