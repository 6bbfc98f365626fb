"""Writes a made-up graph of this domain as N-Quads: the same bytes for the same size and seed.

    python benchmarks/generate.py 1M graph.nq

Conference bodies with a conference, a chair term and two resolutions for each year, themes in a
tree, and the passages that say so. As in the real graph, each passage is a named graph, and what
accepted passages say is in the default graph too; the size counts both. Every name is made up.
"""

import random
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

SEED = 4
FIRST_YEAR, YEARS = 2007, 20
_DISPUTED_EVERY = 17
_THEMES_PER_NARROWER = 4
_QUADS_PER_THEME_WANTED = 150

BASE = "https://w3id.org/intmk/"
RDF_TYPE = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>"
LABEL = "<http://www.w3.org/2000/01/rdf-schema#label>"
SKOS = "http://www.w3.org/2004/02/skos/core#"
ORG = "http://www.w3.org/ns/org#"
SCHEMA = "https://schema.org/"
DCTERMS = "http://purl.org/dc/terms/"
ELI = "http://data.europa.eu/eli/ontology#"
XSD = "http://www.w3.org/2001/XMLSchema#"
EDTF = "http://id.loc.gov/datatypes/edtf/EDTF"
REGISTER = f"<{BASE}source>"
THEMES = f"<{BASE}themes>"

_SYLLABLES = [
    "bran",
    "dor",
    "fels",
    "gar",
    "hol",
    "kess",
    "lund",
    "mar",
    "nor",
    "ötz",
    "rad",
    "sül",
    "tann",
    "uhl",
    "wies",
    "zell",
]
_GIVEN = [
    "Ada",
    "Bela",
    "Cem",
    "Dora",
    "Esra",
    "Finn",
    "Gül",
    "Hanno",
    "Ida",
    "Jörg",
    "Käthe",
    "Lior",
    "Mina",
    "Nuri",
    "Olga",
    "Pia",
]
_LANDS = [
    "Baden-Württemberg",
    "Bayern",
    "Berlin",
    "Brandenburg",
    "Bremen",
    "Hamburg",
    "Hessen",
    "Mecklenburg-Vorpommern",
    "Niedersachsen",
    "Nordrhein-Westfalen",
    "Rheinland-Pfalz",
    "Saarland",
    "Sachsen",
    "Sachsen-Anhalt",
    "Schleswig-Holstein",
    "Thüringen",
]

# One statement: subject, predicate and object as N-Quads write them.
Fact = tuple[str, str, str]


def own(kind: str, name: object) -> str:
    """Return the IRI of a thing."""
    return f"<{BASE}id/{kind}/{name}>"


def term(name: str) -> str:
    """Return the IRI of a term of the ontology."""
    return f"<{BASE}ontology#{name}>"


def date(year: int, month: int, day: int) -> str:
    """Return an xsd:date literal."""
    return f'"{year}-{month:02}-{day:02}"^^<{XSD}date>'


def names(subject: str, german: str, english: str, predicate: str = LABEL) -> list[Fact]:
    """Return a name in both languages."""
    return [(subject, predicate, f'"{german}"@de'), (subject, predicate, f'"{english}"@en')]


def slug(text: str) -> str:
    """Return an ASCII name for an IRI."""
    return text.lower().replace("ü", "ue").replace("ö", "oe").replace("ä", "ae")


class Graph:
    """Draws the graph body by body, year by year; every draw comes from one seeded source."""

    def __init__(self, size: int, seed: int = SEED) -> None:
        """Take the number of statements wanted."""
        self._random = random.Random(f"{seed}")
        self._themes = max(40, size // _QUADS_PER_THEME_WANTED // YEARS)
        self._size = size

    def lines(self) -> Iterator[str]:
        """Yield N-Quads lines until there are as many as wanted, and the year at hand is told."""
        written = 0
        for line in self._vocabulary():
            written += 1
            yield line
        number = 0
        while written < self._size:
            for line in self._year(number):
                written += 1
                yield line
            number += 1

    def _vocabulary(self) -> Iterator[str]:
        for name in _LANDS:
            land = own("land", slug(name))
            yield from accepted(REGISTER, [(land, RDF_TYPE, term("Land"))])
            yield from accepted(REGISTER, names(land, name, name))
        for number in range(self._themes):
            yield from accepted(THEMES, self._theme(number))

    def _theme(self, number: int) -> list[Fact]:
        theme, word = own("theme", f"t{number}"), self._word().capitalize()
        facts = [(theme, RDF_TYPE, term("Theme")), (theme, f"<{SKOS}inScheme>", THEMES)]
        if number:
            wider = own("theme", f"t{(number - 1) // _THEMES_PER_NARROWER}")
            facts.append((theme, f"<{SKOS}broader>", wider))
        predicate = f"<{SKOS}prefLabel>"
        return facts + names(theme, f"{word}förderung {number}", f"{word} {number}", predicate)

    def _year(self, number: int) -> Iterator[str]:
        """Yield what one body did in one year, passage by passage."""
        body, year = number // YEARS, FIRST_YEAR + number % YEARS
        source = f"{BASE}source/body-{body}"
        told: list[list[Fact]] = [
            self._conference(body, year),
            self._chair(body, year),
            self._resolution(body, year, 1) + self._resolution(body, year, 2),
        ]
        if year == FIRST_YEAR:
            told[0] += self._body(body, source)
        line = (year - FIRST_YEAR) * 10
        for facts in told:
            yield from passage(source, line, facts, "accepted")
            line += 2
        if number % _DISPUTED_EVERY == 0:
            other = (own("conference", f"b{body}-{year}"), f"<{SCHEMA}startDate>", date(year, 1, 1))
            yield from passage(source, line, [other], "disputed")

    def _body(self, body: int, source: str) -> list[Fact]:
        subject, word = own("body", f"b{body}"), self._word().capitalize()
        return [
            (subject, RDF_TYPE, term("ConferenceBody")),
            *names(subject, f"{word}konferenz {body}", f"{word} Conference {body}"),
            (subject, f"<{SKOS}altLabel>", f'"{word[:2].upper()}K {body}"@de'),
            (f"<{source}>", RDF_TYPE, term("TextDocument")),
            (f"<{source}>", f"<{DCTERMS}title>", f'"Chronik der {word}konferenz {body}"@de'),
        ]

    def _conference(self, body: int, year: int) -> list[Fact]:
        subject, ordinal = own("conference", f"b{body}-{year}"), year - FIRST_YEAR + 1
        month, day = self._random.randint(2, 11), self._random.randint(1, 27)
        first, last = date(year, month, day), date(year, month, day + 1)
        span = f"{year}-{month:02}-{day:02}/{year}-{month:02}-{day + 1:02}"
        return [
            (subject, RDF_TYPE, term("Conference")),
            *names(subject, f"{ordinal}. Konferenz {body}", f"Conference {ordinal} of {body}"),
            (subject, term("body"), own("body", f"b{body}")),
            (subject, term("kind"), own("kind", "main")),
            (subject, term("chairTerm"), own("chair-term", f"b{body}-{year}")),
            (subject, term("ordinal"), f'"{ordinal}"^^<{XSD}integer>'),
            (subject, f"<{SCHEMA}startDate>", first),
            (subject, f"<{SCHEMA}endDate>", last),
            *_bounds(subject, first, last, span),
            *((subject, term("theme"), theme) for theme in self._some_themes(3)),
        ]

    def _chair(self, body: int, year: int) -> list[Fact]:
        key, land = f"b{body}-{year}", _LANDS[(body + year) % len(_LANDS)]
        person = own("person", key)
        given, family = self._random.choice(_GIVEN), self._word().capitalize()
        held = self._term("chair-term", "ChairTerm", key, own("land", slug(land)), land)
        persons = self._term("chair-person-term", "ChairPersonTerm", key, person, family)
        within = (own("chair-person-term", key), term("withinTerm"), own("chair-term", key))
        return [
            *(held + persons),
            within,
            (person, RDF_TYPE, f"<{SCHEMA}Person>"),
            *names(person, f"{given} {family}", f"{given} {family}"),
            (person, f"<{SCHEMA}name>", f'"{given} {family}"'),
            (person, f"<{SCHEMA}givenName>", f'"{given}"'),
            (person, f"<{SCHEMA}familyName>", f'"{family}"'),
        ]

    def _term(self, kind: str, name: str, key: str, member: str, who: str) -> list[Fact]:
        body, year = key[1:].split("-")
        subject = own(kind, key)
        first, last = date(int(year), 7, 1), date(int(year) + 1, 6, 30)
        return [
            (subject, RDF_TYPE, term(name)),
            *names(subject, f"Vorsitz {who} {year}", f"{who} in the chair, {year}"),
            (subject, f"<{ORG}member>", member),
            (subject, f"<{ORG}organization>", own("body", f"b{body}")),
            (subject, f"<{ORG}role>", own("kind", "chair")),
            (subject, f"<{SCHEMA}startDate>", first),
            (subject, f"<{SCHEMA}endDate>", last),
            *_bounds(subject, first, last, f"{year}-07-01/{int(year) + 1}-06-30"),
        ]

    def _resolution(self, body: int, year: int, number: int) -> list[Fact]:
        subject, word = own("resolution", f"b{body}-{year}-{number}"), self._word()
        day = date(year, 12, self._random.randint(1, 28))
        return [
            (subject, RDF_TYPE, term("Resolution")),
            (subject, f"<{DCTERMS}title>", f'"Beschluss zur {word}arbeit"@de'),
            *names(subject, f"Beschluss zur {word}arbeit", f"Resolution on {word}"),
            (subject, f"<{ELI}passed_by>", own("body", f"b{body}")),
            (subject, term("adoptedAt"), own("conference", f"b{body}-{year}")),
            *_bounds(subject, day, day, day[1:11]),
            *((subject, term("theme"), theme) for theme in self._some_themes(2)),
        ]

    def _some_themes(self, count: int) -> list[str]:
        drawn = self._random.sample(range(self._themes), count)
        return [own("theme", f"t{number}") for number in drawn]

    def _word(self) -> str:
        return "".join(self._random.choices(_SYLLABLES, k=3))


def _bounds(subject: str, first: str, last: str, edtf: str) -> list[Fact]:
    return [
        (subject, term("earliest"), first),
        (subject, term("latest"), last),
        (subject, term("edtf"), f'"{edtf}"^^<{EDTF}>'),
    ]


def accepted(graph: str, facts: Iterable[Fact]) -> Iterator[str]:
    """Yield facts in their graph and, since we take them to be true, in the default graph."""
    for fact in facts:
        line = " ".join(fact)
        yield f"{line} .\n"
        yield f"{line} {graph} .\n"


def passage(source: str, line: int, facts: list[Fact], status: str) -> Iterator[str]:
    """Yield two lines of a source: what they say, and what is known of them."""
    subject = f"<{source}#line={line},{line + 2}>"
    yield from accepted(
        REGISTER,
        [
            (subject, RDF_TYPE, term("TextPassage")),
            (subject, f"<{DCTERMS}isPartOf>", f"<{source}>"),
            (subject, term("firstLine"), f'"{line + 1}"^^<{XSD}integer>'),
            (subject, term("lastLine"), f'"{line + 2}"^^<{XSD}integer>'),
            (subject, term("status"), own("kind", status)),
            (subject, term("checkedOn"), date(2026, 11, 22)),
        ],
    )
    if status == "accepted":
        yield from accepted(subject, facts)
    else:
        yield from (" ".join(fact) + f" {subject} .\n" for fact in facts)


def statements(size: str) -> int:
    """Return a size as a number: ``10k``, ``1M`` or plain digits. Raises ValueError otherwise."""
    factor = {"k": 1000, "M": 1_000_000}.get(size[-1:], 1)
    return int(size.rstrip("kM")) * factor


def write(size: str, target: Path) -> None:
    """Write a graph of this size into a file."""
    with target.open("w", encoding="utf-8") as file:
        file.writelines(Graph(statements(size)).lines())


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: generate.py SIZE FILE, where SIZE is a number such as 10k or 1M")
    write(sys.argv[1], Path(sys.argv[2]))
