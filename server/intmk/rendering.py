"""How values look on a page: names, links, dates, and templates in which everything is escaped."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from pyoxigraph import BlankNode, Literal, NamedNode

from intmk import dates, vocab, wording
from intmk.statements import Passage, Statement, Term

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
# Namespaces for templates: ``vocab.skos + "prefLabel"``.
TEMPLATES.globals["vocab"] = {
    "rdfs": vocab.RDFS,
    "sh": vocab.SH,
    "dcterms": vocab.DCTERMS,
    "skos": "http://www.w3.org/2004/02/skos/core#",
}
_THING = vocab.BASE + "id/"
_DERIVATION = _THING + "derivation/"
_MEASUREMENT = _THING + "measurement/"
_PLAIN = {vocab.XSD + "string", vocab.RDF + "langString"}
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
_MONTH_DAY = re.compile(r"--(\d\d)-(\d\d)")
_LINES = re.compile(re.escape(vocab.BASE) + r"source/([^#]+)#line=(\d+),(\d+)")
_AUTHORITIES = {
    "http://dcat-ap.de/def/politicalGeocoding/stateKey/": "DCAT-AP.de stateKey",
    "http://eurovoc.europa.eu/": "EuroVoc",
    "http://lod.gesis.org/thesoz/": "TheSoz",
    "http://publications.europa.eu/resource/authority/": "EU Vocabularies",
    "http://www.eionet.europa.eu/gemet/concept/": "GEMET",
    "http://www.wikidata.org/entity/": "Wikidata",
    "http://zbw.eu/stw/descriptor/": "STW",
    "https://d-nb.info/gnd/": "GND",
    "https://sws.geonames.org/": "GeoNames",
}
_PAGE = re.compile(re.escape(vocab.BASE) + r"source/([^#]+)#page(?:-(.+))?")
# The order in which a thing's properties are read; the others follow by name.
# fmt: off
_ORDER = (
    "rdf:type", "rdfs:label", "skos:prefLabel", "skos:altLabel", "schema:name", "dcterms:title",
    "skos:definition", "intmk:motto", "intmk:ordinal", "intmk:kind", "intmk:status", "intmk:edtf",
    "schema:startDate", "schema:endDate", "schema:startTime", "schema:endTime", "intmk:earliest",
    "intmk:latest", "intmk:attestedOn", "intmk:body", "intmk:constitution", "org:member",
    "org:organization", "org:role", "intmk:post", "intmk:host", "intmk:chair", "intmk:chairTerm",
    "schema:location", "schema:superEvent", "intmk:theme", "skos:broader", "skos:related",
    "skos:exactMatch", "skos:closeMatch", "skos:broadMatch",
)
# fmt: on


@dataclass(frozen=True)
class Site:
    """What all pages share: the path the server is mounted at, the prefixes, and whether there is
    a store of our own, which proposals and changes rest on."""

    mount: str
    prefixes: Mapping[str, str]
    has_store: bool = True


# Pages that show an older version when asked with ?at=.
_OF_VERSIONS = ("/doc/", "/source", "/themes", "/ontology", "/shapes", "/quality", "/queries/")


@dataclass
class View:
    """One page in one language; templates call its methods.

    ``labels`` are those of the things the page mentions, ``reasons`` those of the disputed passages
    it cites. ``is_chosen`` says that the language was asked for in the address, so that links keep
    it; ``at`` is the version that was asked for in the address, which links to what has versions
    keep too.
    """

    site: Site
    language: str
    labels: Mapping[str, Literal] = field(default_factory=dict)
    reasons: Mapping[str, Literal] = field(default_factory=dict)
    is_chosen: bool = False
    at: str = ""

    @property
    def other(self) -> str:
        """The language that this page is not in."""
        return next(one for one in wording.LANGUAGES if one != self.language)

    def render(self, template: str, **values: Any) -> str:
        """Return a page: the template with these values, and this view as ``view``."""
        return TEMPLATES.get_template(template).render(view=self, **values)

    def say(self, key: str, *parts: object) -> str:
        """Return a text of the page, with ``parts`` in its gaps."""
        return wording.WORDS[self.language][key].format(*parts)

    def kind(self, name: str) -> str:
        """Return the plural name of a kind of thing."""
        return wording.KINDS[self.language].get(name, name)

    def topic(self, name: str) -> str:
        """Return the name of a topic of the catalogue."""
        return wording.TOPICS[self.language].get(name, name)

    def number(self, count: int) -> str:
        """Return a whole number as the language writes it."""
        return wording.count(count, self.language)

    def share(self, share: Decimal) -> str:
        """Return a share in per cent as the language writes it: 87 % or 87%; never a false 100."""
        number = int(share * 100) if share > Decimal("0.99") else round(share * 100)
        return f"{number}\N{NO-BREAK SPACE}%" if self.language == "de" else f"{number}%"

    def mean(self, value: Decimal) -> str:
        """Return a mean to one place, with the language's decimal sign."""
        return f"{value:.1f}".replace(".", "," if self.language == "de" else ".")

    def path(self, path: str, **parameters: object) -> str:
        """Return the address of one of our pages in the language and version of this one."""
        chosen = {"lang": self.language} if self.is_chosen else {}
        if self.at and path.startswith(_OF_VERSIONS):
            chosen["at"] = self.at
        query = urlencode(parameters | chosen)
        address, hash_, fragment = path.partition("#")
        return self.site.mount + address + ("?" + query if query else "") + hash_ + fragment

    def href(self, iri: str) -> str | None:
        """Return where a link to an IRI leads, or None when it leads nowhere on the web."""
        if iri.startswith(_THING):
            return self.path("/doc/" + iri.removeprefix(_THING))
        if iri.startswith(vocab.BASE):
            return self.path("/" + iri.removeprefix(vocab.BASE))
        return iri if iri.startswith(("https://", "http://")) else None

    def name(self, iri: str) -> Literal:
        """Return what to call a thing: its label, else the short form of its IRI."""
        if iri in self.labels:
            return self.labels[iri]
        words = self._words(iri) or _identifier(iri)
        return Literal(words, language=self.language) if words else Literal(self.curie(iri))

    def _words(self, iri: str) -> str:
        """Return what to call a thing that has no label by nature, or nothing."""
        if lines := _LINES.fullmatch(iri):
            return f"{lines[1]}, {self.lines(int(lines[2]) + 1, int(lines[3]))}"
        if page := _PAGE.fullmatch(iri):
            return f"{page[1]}, {self._claim(page[2])}"
        if iri.startswith(_DERIVATION):
            return self.say("derivation_of", iri.removeprefix(_DERIVATION))
        if iri.startswith(_MEASUREMENT):
            return self.say("measurement_of", iri.removeprefix(_MEASUREMENT))
        return wording.BORROWED[self.language].get(self.curie(iri), "")

    def curie(self, iri: str) -> str:
        """Return the short form of an IRI, or the IRI when no prefix fits."""
        return vocab.shrink(iri, self.site.prefixes).strip("<>")

    def written(self, iri: str) -> str:
        """Return an IRI as short as a query here may write it: the base of queries is ours."""
        short = vocab.shrink(iri, self.site.prefixes)
        return short.replace(f"<{vocab.BASE}", "<") if iri != vocab.BASE else short

    def position(self, file: str, line: int, column: int | None) -> str:
        """Return a place in what was sent: the box of the form by its name, or the file."""
        box = {"additions": "", "removals": self.say("removed_box")}.get(file, file)
        place = self.say("line_column", line, column or 1)
        return f"{box}, {place}" if box else place

    def lines(self, first: int, last: int) -> str:
        """Return a run of lines in words."""
        return self.say("line", first) if first == last else self.say("lines", first, last)

    def link(self, iri: str, text: Literal | str | None = None) -> Markup:
        """Return a link to a thing under its name."""
        shown = self.name(iri) if text is None else text
        words = self.foreign(shown) if isinstance(shown, Literal) else Markup.escape(shown)
        href = self.href(iri)
        if href is None:
            return Markup("<code>{}</code>").format(words)
        outside = Markup("") if iri.startswith(vocab.BASE) else Markup(' rel="external"')
        return Markup('<a href="{}"{}>{}</a>').format(href, outside, words)

    def foreign(self, literal: Literal) -> Markup:
        """Return a text, marked with its language when that is not the page's."""
        if literal.language in (None, self.language):
            return Markup.escape(literal.value)
        return Markup('<span lang="{}">{}</span>').format(literal.language, literal.value)

    def term(self, term: Term) -> Markup:
        """Return a value as it is read: a link, a date in words, a text in its language."""
        if isinstance(term, NamedNode):
            return self.link(term.value)
        if isinstance(term, BlankNode):
            return Markup("<code>{}</code>").format(str(term))
        if term.language:
            tag = Markup(' <span class="note">{}</span>').format(term.language)
            return Markup('<span lang="{}">{}</span>{}').format(term.language, term.value, tag)
        return self._typed(term)

    def _typed(self, literal: Literal) -> Markup:
        value, datatype = literal.value, literal.datatype.value
        if datatype == vocab.EDTF.value:
            return self._edtf(value)
        if date := _DATE.fullmatch(value):
            words = dates.day(int(date[1]), int(date[2]), int(date[3]), self.language)
            return Markup('<time datetime="{}">{}</time>').format(value, words)
        if date := _MONTH_DAY.fullmatch(value):
            return Markup.escape(dates.day(0, int(date[1]), int(date[2]), self.language))
        return Markup.escape(value)

    def _edtf(self, value: str) -> Markup:
        code = Markup('<code title="EDTF">{}</code>').format(value)
        said = dates.words(value, self.language)
        return Markup('{} <span class="note">{}</span>').format(said, code) if said else code

    def date(self, edtf: str) -> str:
        """Return a date in words where there are plain ones, else its EDTF."""
        return dates.words(edtf, self.language) or edtf

    def exact(self, term: Term | None) -> Markup:
        """Return a value as a query sees it: nothing is left out and nothing is prettified."""
        if term is None:
            return Markup("")
        if isinstance(term, NamedNode):
            return self.link(term.value, self.written(term.value))
        if isinstance(term, BlankNode):
            return Markup("<code>{}</code>").format(str(term))
        kind = f"@{term.language}" if term.language else self._datatype(term)
        note = Markup(' <span class="note">{}</span>').format(kind) if kind else Markup("")
        lang = Markup(' lang="{}"').format(term.language) if term.language else Markup("")
        return Markup("<span{}>{}</span>{}").format(lang, term.value, note)

    def _datatype(self, literal: Literal) -> str:
        datatype = literal.datatype.value
        return "" if datatype in _PLAIN else self.curie(datatype)

    def where(self, passage: Passage) -> str:
        """Return the place of a passage within its source, in words."""
        if passage.first:
            return self.lines(passage.first, passage.last)
        if passage.kind == vocab.DERIVATION.value:
            slug, source = (iri.rpartition("/")[2] for iri in (passage.iri, passage.source))
            return self.say("derivation_of", slug.removeprefix(f"{source}-"))
        if passage.kind == vocab.PAGE_PASSAGE.value:
            return self._claim(passage.iri.partition("#page-")[2])
        return self.name(passage.iri).value

    def _claim(self, name: str | None) -> str:
        """Return what a passage of a page is: a claim of this name, or the whole page."""
        return self.say("claim_of", name) if name else self.say("whole_page")

    def grouped(self, several: Iterable[Statement]) -> list[tuple[str, list[Statement]]]:
        """Return statements by property (IRI), in the order in which they are read."""
        groups: dict[str, list[Statement]] = {}
        for one in several:
            groups.setdefault(one.predicate.value, []).append(one)
        for group in groups.values():
            group.sort(key=self._is_foreign)
        return sorted(groups.items(), key=lambda group: self._rank(group[0]))

    def _is_foreign(self, one: Statement) -> bool:
        language = one.object.language if isinstance(one.object, Literal) else None
        return language not in (None, self.language)

    def _rank(self, predicate: str) -> tuple[int, str]:
        curie = self.curie(predicate)
        first = _ORDER.index(curie) if curie in _ORDER else len(_ORDER)
        return first, wording.collation(self.name(predicate).value)


def _identifier(iri: str) -> str:
    """Return an identifier with the name of the authority that gives it, or nothing."""
    spaces = (space for space in _AUTHORITIES if iri.startswith(space))
    return next(
        (f"{_AUTHORITIES[space]} {iri.removeprefix(space).strip('/')}" for space in spaces), ""
    )


def cited(several: Iterable[Statement]) -> dict[Passage, int]:
    """Return the passages of statements, numbered from 1 in the order of their sources' lines,
    what has no line last.
    """
    found = {passage for one in several for passage in one.passages}
    ordered = sorted(found, key=lambda one: (one.source, not one.first, one))
    return {passage: number for number, passage in enumerate(ordered, 1)}
