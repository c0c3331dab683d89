"""The documentation site, built by Sphinx: `make docs`.

Pages are Markdown, so that they can be read on a forge as well. Nothing is fetched while building,
and a warning is an error. Extensions of our own stand in the folder `site`.
"""

import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "site"))

with open(HERE.parent / "Cargo.toml", "rb") as file:
    _manifest = tomllib.load(file)

project = "Greenloop"
author = "Greenloop contributors"
copyright = f"2026, {author}"  # noqa: A001 - Sphinx's name
release = _manifest["workspace"]["package"]["version"]
version = release

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "charts",
    "descriptions",
    "links_to_sources",
    # Before napoleon, which makes lists of "Args:" and "Raises:".
    "signatures",
    "sphinx.ext.napoleon",
]
root_doc = "index"
exclude_patterns = ["site", "_build"]

myst_enable_extensions = ["attrs_inline", "colon_fence"]
myst_heading_anchors = 3
# Markdown's own inline code is what docstrings have as well.
default_role = "code"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "mixed"

# The prompt and what a command prints are not copied.
copybutton_prompt_text = r"\$ |> "
copybutton_prompt_is_regexp = True
copybutton_only_copy_prompt_lines = True

html_theme = "furo"
html_title = f"Greenloop {release}"
html_logo = "site/static/logo.svg"
html_favicon = "site/static/logo.svg"
html_static_path = ["site/static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "sidebar_hide_name": False,
    "light_css_variables": {
        "color-brand-primary": "#14653a",
        "color-brand-content": "#14653a",
        "color-brand-visited": "#4b5a2b",
    },
    "dark_css_variables": {
        "color-brand-primary": "#5fd397",
        "color-brand-content": "#5fd397",
        "color-brand-visited": "#a9c46c",
    },
}
pygments_style = "friendly"
pygments_dark_style = "github-dark"
nitpicky = False
suppress_warnings = ["misc.highlighting_failure"]
