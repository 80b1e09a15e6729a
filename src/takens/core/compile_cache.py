"""Compiled programs are kept in the user's cache folder, so that the second run starts fast."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """The folder for compiled programs, by the platform's convention.

    ``$XDG_CACHE_HOME`` where it is set, else ``~/.cache``, ``~/Library/Caches`` or
    ``%LOCALAPPDATA%``.

    Examples
    --------
    >>> cache_folder().name
    'compiled'
    """
    given = os.environ.get("XDG_CACHE_HOME", "")
    if given:
        base = Path(given)
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", str(Path.home())))
    else:
        base = Path.home() / ".cache"
    return base / "takens" / "compiled"


def enable_compile_cache() -> bool:
    """Ask JAX to keep compiled programs on disk; True when it will.

    A cache that somebody has already configured is left as it is, and a folder that cannot be
    written only costs the time to compile.

    Examples
    --------
    >>> enable_compile_cache() in (True, False)
    True
    """
    import jax

    if getattr(
        jax.config, "jax_compilation_cache_dir", None
    ):  # the user's own choice, made in code or environment
        return True
    try:
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            return False
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.05)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    except (OSError, RuntimeError, AttributeError):
        return False
    return True
