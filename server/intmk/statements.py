"""What the graph says, as Python values: rows, statements with their passages, labels."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pyoxigraph import (
    BlankNode,
    Literal,
    NamedNode,
    QueryResultsFormat,
    QuerySolutions,
    parse_query_results,
)

from intmk import vocab
from intmk.engine import Answer, Question

Term = NamedNode | BlankNode | Literal
Row = Mapping[str, Any]
# Takes a SELECT query, returns its rows as ``{variable: term}``, unbound variables left out.
Ask = Callable[[str], list[Row]]

# What names a thing, the most deliberate name first.
_NAMING = (
    vocab.RDFS + "label",
    "http://www.w3.org/2004/02/skos/core#prefLabel",
    vocab.DCTERMS + "title",
    "https://schema.org/name",
    vocab.SH + "name",
)
# Who says a statement, to follow ``GRAPH ?passage { … }``. A graph that is no passage, such as
# the shapes, says nothing about the world and drops out here.
PASSAGE = """?passage a ?class ; intmk:status ?status ; dcterms:isPartOf ?source .
  FILTER(?class IN (intmk:TextPassage, intmk:PagePassage, intmk:Derivation, intmk:Declaration))
  OPTIONAL { ?passage intmk:firstLine ?first ; intmk:lastLine ?last }"""


class NewVersion(Exception):  # noqa: N818 - says what happened
    """A new version of the graph came while several queries were being asked: ask them again."""


class Answering(Protocol):
    """Whoever answers questions: the engine, or a version of the past."""

    def ask(self, question: Question) -> Answer:
        """Return the answer to a question."""


class Reading:
    """An ``Ask`` whose queries are all answered from one version of the graph."""

    def __init__(self, engine: Answering) -> None:
        """Take who answers; ``version`` is known once something was asked."""
        self._engine = engine
        self.version = ""

    def __call__(self, query: str) -> list[Row]:
        """Return the rows of a SELECT query.

        Raises what ``Engine.ask`` raises, and NewVersion when the version changed since.
        """
        offers = (("json", "application/sparql-results+json"),)
        answer = self._engine.ask(Question(query, offers))
        body = answer.read()
        if self.version not in ("", answer.version):
            raise NewVersion
        self.version = answer.version
        return rows(body, QueryResultsFormat.JSON)


def rows(body: bytes, form: QueryResultsFormat) -> list[Row]:
    """Return the rows of a serialised SELECT answer."""
    results = parse_query_results(body, format=form)
    assert isinstance(results, QuerySolutions)  # noqa: S101 - only SELECT is asked here
    names = [variable.value for variable in results.variables]
    return [{name: row[name] for name in names if row[name] is not None} for row in results]


@dataclass(frozen=True, order=True)
class Passage:
    """The place that states something; lines count from 1 and are included, 0 for none."""

    source: str
    first: int
    last: int
    iri: str
    kind: str
    is_disputed: bool


@dataclass(frozen=True)
class Statement:
    """A triple and the passages that state it. A thing's own page leaves out the thing."""

    subject: NamedNode
    predicate: NamedNode
    object: Term
    passages: tuple[Passage, ...]

    @property
    def is_disputed(self) -> bool:
        """Whether no accepted passage states it, so that it is not in the default graph."""
        return bool(self.passages) and all(one.is_disputed for one in self.passages)


def node(iri: str) -> str:
    """Return an IRI as a SPARQL term; raises ValueError when it is not an absolute IRI."""
    return str(NamedNode(iri))


def passage(row: Row) -> Passage:
    """Return the passage of a row that the ``PASSAGE`` pattern bound."""
    return Passage(
        source=row["source"].value,
        first=int(row["first"].value) if "first" in row else 0,
        last=int(row["last"].value) if "last" in row else 0,
        iri=row["passage"].value,
        kind=row["class"].value,
        is_disputed=row["status"] == vocab.DISPUTED,
    )


def statements(found: Iterable[Row], **known: Term) -> list[Statement]:
    """Return the statements of rows with ``s``, ``p``, ``o`` and a passage, in the rows' order.

    ``known`` gives those of ``s``, ``p``, ``o`` that the query did not leave open.
    """
    grouped: dict[tuple[Any, Any, Any], list[Passage]] = {}
    for row in found:
        triple: dict[str, Any] = {**known, **row}
        passages = grouped.setdefault((triple["s"], triple["p"], triple["o"]), [])
        if (one := passage(row)) not in passages:
            passages.append(one)
    return [Statement(*triple, tuple(sorted(group))) for triple, group in grouped.items()]


def labels(iris: Iterable[str], ask: Ask, language: str) -> dict[str, Literal]:
    """Return the best label of each thing that has one: in the language, in German, or any.

    What only a disputed passage names is called by that name.
    """
    wanted, found = set(iris), dict[str, Literal]()
    for pattern in ("?thing ?by ?label", "GRAPH ?passage { ?thing ?by ?label }"):
        missing = " ".join(sorted(node(iri) for iri in wanted - found.keys()))
        if missing:
            values = f"VALUES ?thing {{ {missing} }} VALUES ?by {{ {_BY} }}"
            query = f"SELECT ?thing ?by ?label WHERE {{ {values} {pattern} }}"
            found |= _best(ask(query), language)
    return found


def reasons(passages: Iterable[str], ask: Ask, language: str) -> dict[str, Literal]:
    """Return why passages are not accepted, for those that say it: in the language, or in any."""
    wanted = " ".join(sorted(node(iri) for iri in passages))
    if not wanted:
        return {}
    query = f"SELECT * WHERE {{ VALUES ?passage {{ {wanted} }} ?passage intmk:reason ?reason }}"
    rows = sorted(ask(query), key=lambda row: row["reason"].language == language)
    return {row["passage"].value: row["reason"] for row in rows}


_BY = " ".join(node(iri) for iri in _NAMING)


def _best(several: Iterable[Row], language: str) -> dict[str, Literal]:
    groups: dict[str, list[tuple[int, int, str, Literal]]] = {}
    for row in several:
        label = row["label"]
        order = {language: 0, "de": 1}.get(label.language or "", 2)
        key = (order, _NAMING.index(row["by"].value), label.value, label)
        groups.setdefault(row["thing"].value, []).append(key)
    return {iri: min(group, key=lambda one: one[:3])[-1] for iri, group in groups.items()}
