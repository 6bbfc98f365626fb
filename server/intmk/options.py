"""The options that most commands share."""

from pathlib import Path

import click

ROOT = click.option(
    "--root",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder with ontology/, shapes/, data/ and queries/ (INTMK_ROOT).",
)
STORE = click.option(
    "--store",
    "store_dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the built versions (INTMK_STORE).",
)
