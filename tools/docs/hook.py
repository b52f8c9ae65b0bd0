"""The hook of MkDocs that adds the generated pages; none of them are kept in the repository."""

import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parents[2]))  # MkDocs runs hooks outside of any package

from tools.docs.reference import copied, generate


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages, and pages in the root of the repository, to those in the folder
    `docs`."""
    for path, content in (generate() | copied()).items():
        files.append(File.generated(config, path, content=content))
    return files
