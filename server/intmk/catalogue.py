"""The query catalogue: the questions in ``queries/``, what they ask for, and how to ask them.

A query file opens with ``#+ key: value`` lines. A parameter is a ``VALUES ?name { default }``
clause (SPARQL 1.1 section 10.2.2) in the query itself, so the text runs as it stands on any
endpoint, and binding a parameter puts another term into that clause.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from pyoxigraph import Literal, NamedNode

from intmk import sparql, vocab
from intmk.errors import InvalidRequest, NotFound, SourceSyntaxError

LANGUAGES = ("de", "en")
_LINE = re.compile(r"#\+ (?P<key>[a-z_]+): (?P<value>.+)")
_TEXTS = [f"{name}_{language}" for name in ("title", "description") for language in LANGUAGES]
_PARAM = re.compile(r"(?P<name>\w+) (?P<type>\S+) \| (?P<de>[^|]+) \| (?P<en>[^|]+)")
_TYPES = re.compile(r"xsd:(date|integer|string)|iri(:[a-z-]+)?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_ESCAPE = re.compile(r"\\(.)")


class QueryFileError(SourceSyntaxError):
    """A file of the catalogue is not as the catalogue needs it; has file and line."""

    title = "The query file is not valid"
    status = 500


@dataclass(frozen=True)
class Parameter:
    """One blank of a question.

    ``type`` is ``xsd:date``, ``xsd:integer``, ``xsd:string``, ``iri`` (any) or ``iri:<kind>`` (a
    thing of that kind); ``default`` is a right value as a user would type it; ``label`` is by
    language.
    """

    name: str
    type: str
    label: Mapping[str, str]
    default: str


@dataclass(frozen=True)
class Query:
    """One question of the catalogue; ``title`` and ``description`` are by language.

    ``text`` is the file as it stands, ``full_text`` has the PREFIX lines that it uses as well.
    """

    stem: str
    topic: str
    path: Path
    title: Mapping[str, str]
    description: Mapping[str, str]
    keywords: tuple[str, ...]
    params: tuple[Parameter, ...]
    text: str = field(repr=False)
    full_text: str = field(repr=False)
    prefixes: Mapping[str, str] = field(repr=False)

    @property
    def iri(self) -> str:
        """The query's identifier, whose last part is the file's stem."""
        return f"{vocab.BASE}query/{self.stem}"


class Catalogue(Mapping[str, Query]):
    """All queries by stem, in the order of topic and stem."""

    def __init__(self, queries: Mapping[str, Query]) -> None:
        """Take the queries as they are to be listed."""
        self._queries = dict(queries)

    def __getitem__(self, stem: str) -> Query:
        """Return a query; raises NotFound, with the nearest stems, when there is none."""
        if stem in self._queries:
            return self._queries[stem]
        near = difflib.get_close_matches(stem, self._queries)
        hint = f"Did you mean {' or '.join(near)}?" if near else "See the list of all queries."
        raise NotFound(f"There is no query named {stem!r}.", hint=hint)

    def __contains__(self, stem: object) -> bool:
        """Whether there is a query of this stem."""
        return stem in self._queries

    def __iter__(self) -> Iterator[str]:
        """Yield the stems."""
        return iter(self._queries)

    def __len__(self) -> int:
        """Return the number of queries."""
        return len(self._queries)

    def topics(self) -> dict[str, list[Query]]:
        """Return the queries by topic."""
        topics: dict[str, list[Query]] = {}
        for query in self._queries.values():
            topics.setdefault(query.topic, []).append(query)
        return topics


def load(root: Path) -> Catalogue:
    """Read ``queries/<topic>/<stem>.rq`` below ``root``, the folder that holds ``ontology/`` too.

    Raises QueryFileError with file and line when a header is incomplete or a stem is taken.
    """
    prefixes = vocab.prefixes(root)
    queries: dict[str, Query] = {}
    for path in sorted((root / "queries").glob("*/*.rq")):
        query = _read(path, path.relative_to(root).as_posix(), prefixes)
        if query.stem in queries:
            other = queries[query.stem].topic
            raise _error(query.path, 1, f"the topic {other} has a query of this name already")
        queries[query.stem] = query
    return Catalogue(queries)


def bind(query: Query, values: Mapping[str, str]) -> str:
    """Return the complete text of a query with ``values`` (as a user types them) put in.

    Parameters without a value keep their default. Raises InvalidRequest for a parameter that the
    query does not have and for a value that its type does not allow.
    """
    params = {param.name: param for param in query.params}
    text = query.full_text
    for name, value in values.items():
        if name not in params:
            known = ", ".join(params) or "none"
            raise InvalidRequest(
                f"The query {query.stem} has no parameter {name!r}.", hint=f"It has: {known}."
            )
        text = _put(text, name, _term(params[name], value, query.prefixes))
    return text


def _read(path: Path, name: str, prefixes: Mapping[str, str]) -> Query:
    text = path.read_text("utf-8")
    header = _header(text, name)
    for key in (*_TEXTS, "keywords"):
        if key not in header:
            raise _error(name, 1, f"the header lacks '#+ {key}: …'")
    used = _used_prefixes(text, prefixes)
    return Query(
        stem=path.stem,
        topic=path.parent.name,
        path=Path(name),
        title={language: header[f"title_{language}"][0][1] for language in LANGUAGES},
        description={language: header[f"description_{language}"][0][1] for language in LANGUAGES},
        keywords=tuple(header["keywords"][0][1].split(", ")),
        params=tuple(_param(text, name, prefixes, *line) for line in header.get("param", [])),
        text=text,
        full_text=vocab.sparql_header(used) + text,
        prefixes=prefixes,
    )


def _header(text: str, name: str) -> dict[str, list[tuple[int, str]]]:
    """Return the lines of the header by key, each with its number; only ``param`` may repeat."""
    found: dict[str, list[tuple[int, str]]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("#+"):
            continue
        match = _LINE.fullmatch(line)
        if not match or match["key"] not in (*_TEXTS, "keywords", "param"):
            raise _error(name, number, f"{line!r} is not a header line such as '#+ title_de: …'")
        if match["key"] in found and match["key"] != "param":
            raise _error(name, number, f"{match['key']} is given twice")
        found.setdefault(match["key"], []).append((number, match["value"].strip()))
    return found


def _param(text: str, name: str, prefixes: Mapping[str, str], line: int, value: str) -> Parameter:
    match = _PARAM.fullmatch(value)
    if not match or not _TYPES.fullmatch(match["type"]):
        raise _error(name, line, "a parameter is given as 'day xsd:date | Der Tag | The day'")
    kind = match["type"].partition("iri:")[2]
    if kind and kind not in prefixes:
        raise _error(name, line, f"there is no kind of thing named {kind!r}")
    blocks = [block for block in _blocks(text, match["name"]) if text[slice(*block)].strip()]
    if not blocks:
        raise _error(name, line, f"the query has no 'VALUES ?{match['name']} {{ … }}'")
    label = {language: match[language].strip() for language in LANGUAGES}
    return Parameter(match["name"], match["type"], label, _typed(text[slice(*blocks[0])]))


def _typed(written: str) -> str:
    """Return a term as a user would type it: ``"2023-04-26"^^xsd:date`` is ``2023-04-26``."""
    token = next(sparql.tokens(written))
    if token.kind == "string":
        return _ESCAPE.sub(r"\1", token.text[1:-1])
    return token.text.strip("<>")


def _used_prefixes(text: str, prefixes: Mapping[str, str]) -> dict[str, str]:
    names = {token.text.split(":")[0] for token in sparql.tokens(text) if token.kind == "pname"}
    return {name: space for name, space in prefixes.items() if name in names}


def _blocks(text: str, name: str) -> Iterator[tuple[int, int]]:
    """Yield where the terms of each ``VALUES ?name { … }`` stand in a query."""
    found = list(sparql.tokens(text))
    for index in range(len(found) - 2):
        verb, variable, bracket = (token.text for token in found[index : index + 3])
        if (verb.upper(), variable, bracket) == ("VALUES", f"?{name}", "{"):
            rest = found[index + 3 :]
            yield rest[0].start, next(token.start for token in rest if token.text == "}")


def _put(text: str, name: str, term: str) -> str:
    for start, end in reversed(list(_blocks(text, name))):
        text = f"{text[:start]}{term} {text[end:]}"
    return text


def _term(param: Parameter, value: str, prefixes: Mapping[str, str]) -> str:
    """Return ``value`` as a SPARQL term, escaped by the engine; raises InvalidRequest."""
    try:
        if param.type.startswith("iri"):
            return str(_iri(param.type.partition(":")[2], value, prefixes))
        return str(_literal(param.type, value))
    except ValueError as error:
        raise InvalidRequest(
            f"The parameter {param.name} ({param.type}) cannot be {value[:100]!r}.",
            hint=f"A right value is {param.default}.",
        ) from error


def _literal(datatype: str, value: str) -> Literal:
    """Return a literal; raises ValueError when the value is not of the datatype.

    A date has no time zone: compared with our dates, which have none, it would match nothing.
    """
    if datatype == "xsd:date":
        if not _DAY.fullmatch(value):
            raise ValueError(value)
        date.fromisoformat(value)
    if datatype == "xsd:integer" and not _INTEGER.fullmatch(value):
        raise ValueError(value)
    return Literal(value, datatype=NamedNode(vocab.XSD + datatype.removeprefix("xsd:")))


def _iri(kind: str, value: str, prefixes: Mapping[str, str]) -> NamedNode:
    """Return an IRI given in full, as a CURIE or, of a known kind, as a slug; else ValueError."""
    prefix, colon, local = value.partition(":")
    if colon and prefix in prefixes and not local.startswith("//"):
        value = prefixes[prefix] + local
    elif kind and not colon:
        value = prefixes[kind] + value
    if not value.startswith(prefixes[kind] if kind else ("http://", "https://", "urn:")):
        raise ValueError(value)
    return NamedNode(value)


def _error(file: Path | str, line: int, detail: str) -> QueryFileError:
    return QueryFileError(detail, file=str(file), line=line, column=None)
