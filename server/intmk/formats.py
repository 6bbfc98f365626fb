"""The formats of answers, once: media types, names, extensions, and how a client's wish is met.

Content negotiation follows RFC 9110 section 12.5.1 (quality values, ``q=0``, wildcards, the most
specific range wins). Formats are those of SPARQL 1.1 (query results) and RDF 1.1 (graphs).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from pyoxigraph import QueryResultsFormat, RdfFormat

from intmk.errors import InvalidRequest, NotAcceptable

Kind = Literal["results", "graph"]


# Each row of the table is one of a kind, so identity is equality, and hashing costs nothing.
@dataclass(frozen=True, slots=True, eq=False)
class Format:
    """One way to write an answer.

    ``media_types`` begins with the registered type; the others are answered under the name the
    client used. ``names`` are values of ``?format=``, the first being the file extension.
    """

    kind: Kind
    engine: QueryResultsFormat | RdfFormat
    media_types: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def extension(self) -> str:
        """The file name extension, without a dot."""
        return self.names[0]


# The order is our preference when a client likes several formats equally.
FORMATS = (
    Format(
        "results",
        QueryResultsFormat.JSON,
        ("application/sparql-results+json", "application/json", "text/json"),
        ("json", "srj"),
    ),
    Format(
        "results",
        QueryResultsFormat.XML,
        ("application/sparql-results+xml", "application/xml", "text/xml"),
        ("xml", "srx"),
    ),
    Format("results", QueryResultsFormat.CSV, ("text/csv",), ("csv",)),
    Format("results", QueryResultsFormat.TSV, ("text/tab-separated-values",), ("tsv",)),
    Format("graph", RdfFormat.TURTLE, ("text/turtle",), ("ttl", "turtle")),
    Format(
        "graph",
        RdfFormat.N_TRIPLES,
        ("application/n-triples", "text/plain"),
        ("nt", "ntriples", "n-triples"),
    ),
    Format(
        "graph",
        RdfFormat.JSON_LD,
        ("application/ld+json", "application/json"),
        ("jsonld", "json-ld", "json"),
    ),
    Format(
        "graph",
        RdfFormat.RDF_XML,
        ("application/rdf+xml", "application/xml", "text/xml"),
        ("rdf", "rdfxml", "rdf-xml", "xml"),
    ),
    Format("graph", RdfFormat.TRIG, ("application/trig",), ("trig",)),
    Format("graph", RdfFormat.N_QUADS, ("application/n-quads",), ("nq", "nquads", "n-quads")),
)
RESULTS = tuple(row for row in FORMATS if row.kind == "results")
GRAPHS = tuple(row for row in FORMATS if row.kind == "graph")


class Offer(NamedTuple):
    """A format together with the media type under which it is sent."""

    format: Format
    media_type: str

    @property
    def content_type(self) -> str:
        """The value of Content-Type; text says that it is UTF-8."""
        is_text = self.media_type.startswith("text/")
        return self.media_type + ("; charset=utf-8" if is_text else "")


class Range(NamedTuple):
    """One element of an Accept header: ``text/*;q=0.5`` is ("text", "*", None, False, 0.5)."""

    type: str
    subtype: str
    charset: str | None
    has_other_parameters: bool
    quality: float

    def specificity(self, media_type: str) -> int:
        """Return how closely this range names a media type: 0 not at all, 4 exactly."""
        type_, subtype = media_type.split("/")
        if self.type not in ("*", type_) or self.subtype not in ("*", subtype):
            return 0
        if self.charset not in (None, "utf-8", "*"):
            return 0
        if "*" in (self.type, self.subtype):
            return 1 if self.type == "*" else 2
        # A parameter we do not have (profile, level) makes the plain range the better match.
        return 3 if self.has_other_parameters else 4


_RANGE = re.compile(r"""\s*([!#$%&'*+.^_`|~\w-]+)(?:/([!#$%&'*+.^_`|~\w-]+))?((?:\s*;[^,]*)?)\s*""")
_PARAMETER = re.compile(r""";\s*([\w-]+)\s*=\s*("[^"]*"|[^\s;]+)""")
_QUALITY = re.compile(r"0?(\.\d*)?|1(\.0*)?")
_QUOTED_COMMA = re.compile(r'"[^"]*"')


@lru_cache(maxsize=256)
def ranges(accept: str) -> tuple[Range, ...]:
    """Return the elements of an Accept header; those that are malformed are left out."""
    text = _QUOTED_COMMA.sub(lambda quoted: quoted[0].replace(",", " "), accept)
    found = (_range(part) for part in text.lower().split(","))
    return tuple(one for one in found if one is not None)


def _range(text: str) -> Range | None:
    match = _RANGE.fullmatch(text)
    if not match:
        return None
    type_, subtype = match[1], match[2] or "*"
    if (type_ == "*" and subtype != "*") or (type_ != "*" and not match[2]):
        return None
    parameters = {name: value.strip('"') for name, value in _PARAMETER.findall(match[3])}
    quality = parameters.pop("q", "1")
    charset = parameters.pop("charset", None)
    if not _QUALITY.fullmatch(quality):
        return None
    weight = float(quality) if quality.strip(".") else 0.0
    return Range(type_, subtype, charset, bool(parameters), weight)


def quality(accept: str, media_type: str) -> tuple[float, int]:
    """Return the weight an Accept header gives a media type, and how closely it names it."""
    matches = ((one.specificity(media_type), one.quality) for one in ranges(accept))
    specificity, weight = max(matches, default=(0, 0.0))
    return (weight, specificity) if specificity else (0.0, 0)


def rank(accept: str | None, formats: Iterable[Format]) -> tuple[Offer, ...]:
    """Return what the client accepts of ``formats``, best first; nothing when it accepts none.

    Equal weights are ordered by how closely the header names the type, then by our preference.
    A missing or empty header accepts everything (RFC 9110 section 12.5.1).
    """
    if not accept or not accept.strip():
        accept = "*/*"
    weights = {
        Offer(row, media_type): quality(accept, media_type)
        for row in formats
        for media_type in row.media_types
    }
    accepted = [
        offer
        for offer, (weight, specificity) in weights.items()
        # A wildcard stands for registered types, not for the other names we also understand.
        if weight > 0 and (specificity >= 3 or offer.media_type == offer.format.media_types[0])
    ]
    return tuple(sorted(accepted, key=weights.__getitem__, reverse=True))


def choose(accept: str | None, formats: Iterable[Format]) -> Offer:
    """Return the best offer; raises NotAcceptable, listing what there is, when there is none."""
    formats = tuple(formats)
    accepted = rank(accept, formats)
    if not accepted:
        raise not_acceptable(accept or "", formats)
    return accepted[0]


def not_acceptable(wanted: str, formats: Iterable[Format]) -> NotAcceptable:
    """Return the 406 error that names what was wanted and what is offered."""
    offered = [row.media_types[0] for row in formats]
    return NotAcceptable(
        f"The client accepts {wanted[:200]!r}; nothing of that is offered.",
        hint=f"Offered are {', '.join(offered)}; or add the parameter format=.",
        offered=offered,
    )


def named(name: str) -> tuple[Offer, ...]:
    """Return the formats that a ``?format=`` value asks for, at most one of each kind.

    ``name`` is one of our names (``json`` is SPARQL JSON or JSON-LD) or a media type. Raises
    InvalidRequest for any other.
    """
    key = name.strip().lower()
    found = [Offer(row, row.media_types[0]) for row in FORMATS if key in row.names]
    found += [Offer(row, key) for row in FORMATS if key in row.media_types]
    if not found:
        known = ", ".join(row.extension for row in FORMATS)
        raise InvalidRequest(f"There is no format {name[:80]!r}.", hint=f"Known are {known}.")
    return tuple(found)


def by_extension(extension: str) -> Format | None:
    """Return the RDF format of a file name extension (``ttl``), or None."""
    return next((row for row in GRAPHS if row.extension == extension), None)


@lru_cache(maxsize=256)
def prefers_html(accept: str | None) -> bool:
    """Tell whether an Accept header likes HTML more than every other format we have."""
    if not accept:
        return False
    others = (media_type for row in FORMATS for media_type in row.media_types)
    html = quality(accept, "text/html")
    return html[0] > 0 and html > max(quality(accept, media_type) for media_type in others)
