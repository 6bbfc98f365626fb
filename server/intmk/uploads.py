"""RDF that a client sends: read within bounds, with the place of every error.

Called in a process with limits of memory and time only: deep nesting overflows the engine's stack
and ends the process that parses it. What can be told before that, and better, is told here: XML
entities and depth, and contexts on other servers.
"""

import re
from xml.parsers import expat

from pyoxigraph import DefaultGraph, Quad, RdfFormat, parse

from intmk.errors import InvalidRequest, NetworkForbidden, SourceSyntaxError, TooLarge

BODY = "request body"
# The engine's RDF/XML reader takes time in the square of the depth: 0.1 s at 3,000 levels.
MAX_XML_DEPTH = 1000
_POSITION = re.compile(r"line (\d+),? column (\d+)")


def read(body: bytes, form: RdfFormat, base: str, max_bytes: int) -> set[Quad]:
    """Return the quads of a document; its blank nodes are nobody else's.

    ``base`` is the IRI against which relative ones are resolved, ``max_bytes`` what XML entities
    may expand to. Raises SourceSyntaxError, with line and column, when it is not RDF, TooLarge for
    entities that expand to more, NetworkForbidden for what stands on another server.
    """
    text = _decoded(body)
    if form == RdfFormat.RDF_XML:
        _Xml(max_bytes).check(body)
    try:
        return set(parse(text, form, base_iri=base, rename_blank_nodes=True))
    except SyntaxError as error:
        raise _refused(error) from error


def read_graph(body: bytes, form: RdfFormat, base: str, max_bytes: int) -> set[Quad]:
    """Return the triples of a document that is one graph; raises as :func:`read`.

    Raises InvalidRequest when it has named graphs.
    """
    quads = read(body, form, base, max_bytes)
    for quad in quads:
        if quad.graph_name != DefaultGraph():
            raise InvalidRequest(
                f"The document has the named graph {quad.graph_name}.",
                hint="Send the triples of one graph, without GRAPH.",
            )
    return quads


def _decoded(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = body[: error.start]
        line = before.count(b"\n") + 1
        column = len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1
        raise _wrong("This byte is not UTF-8.", line, column) from error


def _refused(error: SyntaxError) -> SourceSyntaxError | NetworkForbidden:
    said = error.msg or ""
    if "LoadDocumentCallback" in said:
        return NetworkForbidden(
            "The document names a JSON-LD context on another server.",
            hint="Put the context into the document itself.",
        )
    found = _POSITION.search(said)
    line, column = error.lineno, error.offset
    if line is None and found:
        line, column = int(found[1]), int(found[2])
    detail = said.partition(": ")[2] or said
    return _wrong(detail.rstrip(".") + ".", line, column)


def _wrong(detail: str, line: int | None, column: int | None, hint: str = "") -> SourceSyntaxError:
    return SourceSyntaxError(detail, file=BODY, line=line, column=column, hint=hint)


class _Xml:
    """Reads XML with expat, which needs no stack, to refuse what the engine would choke on."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._depth = 0
        self._expanded = 0
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.EntityDeclHandler = self._entity
        self._parser.ExternalEntityRefHandler = self._external

    def check(self, body: bytes) -> None:
        try:
            self._parser.Parse(body, True)
        except expat.ExpatError as error:
            said = expat.ErrorString(error.code)
            if "amplification" in said:
                raise self._too_large() from error
            raise _wrong(f"{said.capitalize()}.", error.lineno, error.offset + 1) from error

    def _start(self, _name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._count(sum(map(len, attributes.values())))
        if self._depth > MAX_XML_DEPTH:
            raise self._here(f"Elements are nested more than {MAX_XML_DEPTH} deep.")

    def _end(self, _name: str) -> None:
        self._depth -= 1

    def _characters(self, text: str) -> None:
        self._count(len(text))

    def _count(self, characters: int) -> None:
        self._expanded += characters
        if self._expanded > self._max_bytes:
            raise self._too_large()

    def _entity(self, name: str, _is_parameter: bool, value: str | None, *_: object) -> None:
        if value is None:
            raise self._here(f"The entity {name} stands outside the document and is not fetched.")

    def _external(self, *_: object) -> int:
        raise self._here("What stands outside the document is not fetched.")

    def _here(self, detail: str) -> SourceSyntaxError:
        return _wrong(detail, self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber + 1)

    def _too_large(self) -> TooLarge:
        return TooLarge(f"The entities of the document expand to over {self._max_bytes} bytes.")
