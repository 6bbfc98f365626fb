"""Names: the namespaces the code itself uses, and the prefixes every file and query shares.

The prefixes are declared once, in ``ontology/prefixes.ttl`` (SHACL section 5.2.1), and read from
there; the constants here are only the terms that code must know to build and check the graph.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from pyoxigraph import Literal, NamedNode, Quad, RdfFormat, parse

BASE = "https://w3id.org/intmk/"
ONTOLOGY = f"{BASE}ontology"
INTMK = f"{ONTOLOGY}#"
SHAPE = f"{BASE}shapes#"
ID = f"{BASE}id/"
KIND = f"{ID}kind/"

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
XSD = "http://www.w3.org/2001/XMLSchema#"
SH = "http://www.w3.org/ns/shacl#"
DCTERMS = "http://purl.org/dc/terms/"
PROV = "http://www.w3.org/ns/prov#"
DQV = "http://www.w3.org/ns/dqv#"

ONTOLOGY_GRAPH = NamedNode(ONTOLOGY)
THEMES_GRAPH = NamedNode(f"{BASE}themes")
SHAPES_GRAPH = NamedNode(f"{BASE}shapes")
SOURCE_GRAPH = NamedNode(f"{BASE}source")
QUALITY_GRAPH = NamedNode(f"{BASE}quality")

TYPE = NamedNode(f"{RDF}type")
TEXT_PASSAGE = NamedNode(f"{INTMK}TextPassage")
PAGE_PASSAGE = NamedNode(f"{INTMK}PagePassage")
DERIVATION = NamedNode(f"{INTMK}Derivation")
DECLARATION = NamedNode(f"{INTMK}Declaration")
STATUS = NamedNode(f"{INTMK}status")
ACCEPTED = NamedNode(f"{KIND}accepted")
DISPUTED = NamedNode(f"{KIND}disputed")
FIRST_LINE = NamedNode(f"{INTMK}firstLine")
LAST_LINE = NamedNode(f"{INTMK}lastLine")
LINE_COUNT = NamedNode(f"{INTMK}lineCount")
IS_PART_OF = NamedNode(f"{DCTERMS}isPartOf")
WAS_DERIVED_FROM = NamedNode(f"{PROV}wasDerivedFrom")
REGISTERED = NamedNode(f"{INTMK}Source")
AGENT = NamedNode(f"{PROV}Agent")
DOMAINS = (NamedNode(f"{RDFS}domain"), NamedNode("https://schema.org/domainIncludes"))
RANGES = (NamedNode(f"{RDFS}range"), NamedNode("https://schema.org/rangeIncludes"))
SUBCLASS = NamedNode(f"{RDFS}subClassOf")
LABEL = NamedNode(f"{RDFS}label")
# What a thing may be called by, the best first.
LABELS = (
    LABEL,
    NamedNode("http://www.w3.org/2004/02/skos/core#prefLabel"),
    NamedNode(f"{DCTERMS}title"),
    NamedNode("https://schema.org/name"),
)
EDTF = NamedNode("http://id.loc.gov/datatypes/edtf/EDTF")

PREFIXES_FILE = Path("ontology") / "prefixes.ttl"

# The part of PN_LOCAL (Turtle section 6.5) that needs no escaping and that every parser agrees on.
_LOCAL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_-])?", re.ASCII)


def prefixes(root: Path) -> dict[str, str]:
    """Return ``{prefix: namespace}`` as declared in the root's prefix file.

    Raises OSError when the file cannot be read and SyntaxError when it is not Turtle.
    """
    return declared(parse(path=root / PREFIXES_FILE, format=RdfFormat.TURTLE))


def declared(quads: Iterable[Quad]) -> dict[str, str]:
    """Return ``{prefix: namespace}`` as declared with ``sh:prefix`` and ``sh:namespace``."""
    names: dict[str, str] = {}
    namespaces: dict[str, str] = {}
    for quad in quads:
        if not isinstance(quad.object, Literal):
            continue
        if quad.predicate.value == f"{SH}prefix":
            names[str(quad.subject)] = quad.object.value
        elif quad.predicate.value == f"{SH}namespace":
            namespaces[str(quad.subject)] = quad.object.value
    return {name: namespaces[node] for node, name in names.items() if node in namespaces}


def shrink(iri: str, prefixes: Mapping[str, str]) -> str:
    """Return the CURIE of ``iri`` under its longest namespace, or ``<iri>`` when none fits.

    The result is a valid Turtle and SPARQL term either way (Turtle section 2.4).
    """
    best = max(
        ((space, name) for name, space in prefixes.items() if _fits(iri, space)),
        key=lambda pair: len(pair[0]),
        default=None,
    )
    return f"{best[1]}:{iri[len(best[0]) :]}" if best else f"<{iri}>"


def _fits(iri: str, space: str) -> bool:
    return iri.startswith(space) and _LOCAL.fullmatch(iri, len(space)) is not None


def sparql_header(prefixes: Mapping[str, str]) -> str:
    """Return the PREFIX lines (SPARQL section 4.1.1) for a query that is to stand on its own.

    Queries run here do not need it: the engine takes the prefixes as an argument, which keeps the
    line and column of an error true.
    """
    return "".join(f"PREFIX {name}: <{space}>\n" for name, space in sorted(prefixes.items()))
