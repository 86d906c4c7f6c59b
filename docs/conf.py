"""The site: the pages of the repository, the docstrings and the examples (`nox -s docs`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fanwise

project = "fanwise"
author = "The fanwise authors"
copyright = author
version = release = fanwise.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
root_doc = "README"
# The pages lie where readers of the repository look for them, so its root is the source.
include_patterns = [
    "*.md",
    "benchmarks/*.md",
    "conformance/*.md",
    "docs/**",
    "packages/*/*.md",
    "spec/*.md",
]
exclude_patterns = ["docs/_templates", "docs/gallery/*.ipynb", "docs/gallery/*.py"]
templates_path = [str(Path(__file__).parent / "_templates")]  # autosummary looks below the source
suppress_warnings = ["ref.python"]  # attributes of many classes are called `mean`

myst_heading_anchors = 4
default_role = "autolink"  # a name in single backticks is a link, if there is a page for it
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
autodoc_typehints = "none"  # the docstrings say the types, in words
autodoc_member_order = "bysource"
python_maximum_signature_line_length = 88

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "docs/gallery",
    "filename_pattern": r"\.py$",
    "ignore_pattern": r"/models/",
    "within_subsection_order": "ExampleTitleSortKey",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "remove_config_comments": True,
}

html_theme = "pydata_sphinx_theme"
html_title = "fanwise"
html_additional_pages = {"index": "index.html"}
html_show_sourcelink = False
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}

# Tables of contents that GitHub would show as code.
_NAVIGATION = {
    "README": """
Guide <docs/guide>
Structure <docs/structure>
Zoo <docs/zoo>
Reference <docs/reference/index>
Examples <docs/gallery/index>
Conformance <docs/conformance>
Differences <docs/differences>
Specification <spec/README>
More <docs/more>
""",
    "docs/conformance": """
/conformance/README
conformance-results
""",
    "spec/README": """
terms
axes
fans
laws
schemes
gains
randomness
dtypes
recipes
errors
rationale
""",
}


def setup(app: Any) -> None:
    """Add the tables of contents while the pages are read."""

    def add_navigation(_: Any, page: str, text: list[str]) -> None:
        if page in _NAVIGATION:
            text[0] += f"\n```{{toctree}}\n:hidden:\n{_NAVIGATION[page]}```\n"

    app.connect("source-read", add_navigation)
