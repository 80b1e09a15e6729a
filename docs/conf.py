"""Sphinx configuration: every code cell is run, and a warning or a failing cell fails the build."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import takens

project = "Takens"
author = "The Takens developers"
copyright = "2026, the Takens developers"
version = release = takens.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinxcontrib.bibtex",
]
myst_enable_extensions = ["dollarmath", "deflist", "colon_fence"]
exclude_patterns = ["_build", "jupyter_execute", "**/.ipynb_checkpoints"]

nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 180
nb_merge_streams = True

bibtex_bibfiles = ["references.bib"]
numpydoc_show_class_members = False
numpydoc_show_inherited_class_members = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"

html_theme = "furo"
html_title = "Takens"
