"""The hook of MkDocs that adds the generated pages; nothing generated is kept in the repository."""

import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parents[2]))

from tools.docs.reference import generate  # noqa: E402 - MkDocs runs hooks outside of the package


ROOT = Path(__file__).parents[2]
COPIED = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
"""Pages of the root of the repository that the site has as well."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages, and those of the root, to those of the folder `docs`."""
    pages = generate() | {name.lower(): (ROOT / name).read_text() for name in COPIED}
    for path, content in pages.items():
        files.append(File.generated(config, path, content=content.replace("](docs/", "](")))
    return files
