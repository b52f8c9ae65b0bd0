"""The hook of MkDocs that adds the generated pages; nothing generated is kept in the repository."""

import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parents[2]))

from tools.docs.reference import generate  # noqa: E402 - MkDocs runs hooks outside of the package


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages to those of the folder `docs`."""
    for path, content in generate().items():
        files.append(File.generated(config, path, content=content))
    return files
