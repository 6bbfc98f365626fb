"""The project's own graph with one disputed and one hostile passage more, built and served."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from pyoxigraph import RdfFormat, Store

from intmk import store, vocab
from intmk.engine import Engine
from intmk.report import Report
from intmk.settings import Settings
from server_fixtures import ROOT, running

EXTRA = "https://w3id.org/intmk/source/extra"
HOSTILE = "<script>alert('x')</script>\"&{{ 7 * 7 }}"
_ABOUT = """
<https://w3id.org/intmk/source/extra> a intmk:TextDocument ;
  rdfs:label "Zusatz"@de ; dcterms:title "Zusatz"@de ; intmk:lineCount 3 .
<https://w3id.org/intmk/source/extra#line=0,1> a intmk:TextPassage ;
  dcterms:isPartOf <https://w3id.org/intmk/source/extra> ; intmk:status kind:disputed ;
  intmk:firstLine 1 ; intmk:lastLine 1 ; intmk:reason "Weicht ab."@de , "It differs."@en .
<https://w3id.org/intmk/source/extra#line=1,3> a intmk:TextPassage ;
  dcterms:isPartOf <https://w3id.org/intmk/source/extra> ; intmk:status kind:accepted ;
  intmk:firstLine 2 ; intmk:lastLine 3 .
GRAPH <https://w3id.org/intmk/source/extra#line=0,1> {
  conference:intmk-18 schema:location place:only-disputed .
  place:only-disputed a schema:Place ; rdfs:label "Nur strittig"@de .
}
GRAPH <https://w3id.org/intmk/source/extra#line=1,3> {
  person:hostile a schema:Person ; rdfs:label LITERAL@de ; schema:name LITERAL ;
    schema:url <https://example.org/?a='b'&c> , <javascript:alert(1)> , <urn:x:y> .
}
"""


def copy(folder: Path) -> Path:
    """Return a root in ``folder``: the project's files and the two passages more."""
    root = folder / "root"
    for name in ("ontology", "data", "queries"):
        shutil.copytree(ROOT / name, root / name)
    (root / "shapes").mkdir()
    (root / "shapes" / "some.ttl").write_text(_SHAPES, encoding="utf-8")
    prefixes = "".join(
        f"@prefix {name}: <{space}> .\n" for name, space in vocab.prefixes(root).items()
    )
    escaped = HOSTILE.replace("\\", "\\\\").replace('"', '\\"')
    text = prefixes + _ABOUT.replace("LITERAL", f'"{escaped}"')
    (root / "data" / "extra.trig").write_text(text, encoding="utf-8")
    return root


_SHAPES = """@prefix sh: <http://www.w3.org/ns/shacl#> .
@prefix shape: <https://w3id.org/intmk/shapes#> .
@prefix intmk: <https://w3id.org/intmk/ontology#> .
shape:Conference a sh:NodeShape ; sh:targetClass intmk:Conference ;
  sh:property shape:Conference-body .
shape:Conference-body a sh:PropertyShape ; sh:path intmk:body ; sh:minCount 1 ;
  sh:severity sh:Violation ; sh:in ( intmk:a intmk:b ) ;
  sh:message "Eine Konferenz gehört zu einem Gremium."@de , "A conference belongs to a body."@en .
"""


def build(root: Path) -> Path:
    """Build the root unchecked, for it breaks the rules on purpose; returns the store's folder."""
    folder = root.parent / "store"
    store.build(root, folder, lambda _collection: Report())
    return folder


@contextlib.contextmanager
def served(folder: Path, **explicit: object) -> Iterator[tuple[Engine, Settings, Store]]:
    """Build the graph and run workers on it; the store holds the same dump, for comparison."""
    root = copy(folder)
    path = build(root)
    dump = Store()
    dump.bulk_load(path=path / "current" / "dump.nq", format=RdfFormat.N_QUADS)
    with running(path, root=root, **{"query_timeout_s": 5, **explicit}) as (engine, settings):
        yield engine, settings, dump
