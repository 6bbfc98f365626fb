"""The ontology as code: every term is explained, and used as it says or marked as not yet used."""

import re
from functools import cache
from pathlib import Path

import pytest
from pyoxigraph import Literal, NamedNode, Quad

from intmk import sources, vocab
from intmk.vocab import (
    INTMK,
    KIND,
    ONTOLOGY_GRAPH,
    RDFS,
    SHAPES_GRAPH,
    SOURCE_GRAPH,
    THEMES_GRAPH,
    TYPE,
)

ROOT = Path(__file__).parent.parent
OWL = "http://www.w3.org/2002/07/owl#"
SCHEMA = "https://schema.org/"
SKOS = "http://www.w3.org/2004/02/skos/core#"
CLASS = NamedNode(f"{OWL}Class")
PROPERTIES = (NamedNode(f"{OWL}ObjectProperty"), NamedNode(f"{OWL}DatatypeProperty"))
SUBCLASS = NamedNode(f"{RDFS}subClassOf")
DOMAINS = (NamedNode(f"{RDFS}domain"), NamedNode(f"{SCHEMA}domainIncludes"))
RANGES = (NamedNode(f"{RDFS}range"), NamedNode(f"{SCHEMA}rangeIncludes"))
NOTE = NamedNode(f"{SKOS}editorialNote")
NOT_YET = {Literal("Noch nicht verwendet.", language="de"), Literal("Not yet used.", language="en")}

# How the data use the properties of others: property, classes of its subjects, classes or datatypes
# of its values. "-" is any subject, or as a value the IRI of a thing that is not ours.
STANDARD = """
dcat:byteSize | intmk:TextDocument | xsd:nonNegativeInteger
dcat:landingPage | intmk:Source | -
dcterms:bibliographicCitation | eli:LegalResource | rdf:langString
dcterms:isPartOf | intmk:Passage | intmk:Source
dcterms:isPartOf | intmk:Contribution | intmk:PlanVersion intmk:Report
dcterms:isPartOf | intmk:PlanVersion | intmk:PlanVersion
dcterms:isPartOf | intmk:Law | eli:LegalResource
dcterms:issued | intmk:Source | xsd:date
dcterms:language | intmk:Source | xsd:string
dcterms:modified | intmk:Law | xsd:date
dcterms:publisher | intmk:Source intmk:Report | org:Organization prov:Agent
dcterms:relation | eli:LegalResource | intmk:Conference
dcterms:source | skos:ConceptScheme | -
dcterms:subject | org:Organization | intmk:Theme
dcterms:subject | intmk:Law intmk:Report | intmk:ConferenceBody intmk:Law
dcterms:title | - | rdf:langString
eli:based_on | eli:LegalResource | eli:LegalResource
eli:date_document | eli:LegalResource | xsd:date
eli:date_no_longer_in_force | intmk:Law | xsd:date
eli:date_publication | intmk:Law | xsd:date
eli:first_date_entry_in_force | intmk:Law | xsd:date
eli:passed_by | intmk:Resolution | intmk:ConferenceBody
foaf:homepage | intmk:Conference intmk:ConferenceBody | -
foaf:page | intmk:Resolution intmk:WorkingGroup | -
org:hasMember | org:OrganizationalCollaboration intmk:WorkingGroup | org:Organization
org:member | org:Membership | intmk:Land schema:Person
org:organization | org:Membership | org:Organization
org:originalOrganization | org:ChangeEvent | org:Organization
org:postIn | intmk:Office | org:Organization
org:resultingOrganization | org:ChangeEvent | org:Organization
org:role | org:Membership intmk:Office | intmk:Kind
org:subOrganizationOf | org:Organization | org:Organization
org:unitOf | org:OrganizationalUnit | org:Organization
prov:agent | intmk:Participation | schema:Person
prov:hadRole | intmk:Participation | intmk:Kind
prov:qualifiedAssociation | intmk:Conference | intmk:Participation
prov:wasAttributedTo | prov:Entity | org:Organization schema:Person
prov:wasDerivedFrom | intmk:Derivation | intmk:Passage
prov:wasGeneratedBy | org:Organization | schema:Event
prov:wasInfluencedBy | prov:Entity | org:ChangeEvent org:Organization schema:Event
prov:wasInfluencedBy | intmk:Constitution | schema:Person
prov:wasRevisionOf | intmk:PlanVersion | intmk:PlanVersion
rdfs:label | - | rdf:langString
schema:about | schema:Event | intmk:PlanVersion
schema:addressLocality | schema:PostalAddress | xsd:string
schema:alternativeHeadline | intmk:PlanVersion | rdf:langString
schema:attendee | schema:Event | org:Organization schema:Person
schema:byDay | schema:Event | -
schema:contactPoint | org:Organization | schema:ContactPoint schema:PostalAddress
schema:containedInPlace | schema:Place | schema:Place
schema:email | schema:ContactPoint | xsd:string
schema:endDate | schema:Event org:ChangeEvent org:Membership intmk:RotationRule | xsd:date
schema:endTime | intmk:Conference | xsd:time
schema:estimatedCost | intmk:PlanVersion | rdf:langString
schema:eventAttendanceMode | intmk:Conference | -
schema:familyName | schema:Person | xsd:string
schema:faxNumber | schema:PostalAddress | xsd:string
schema:foundingDate | org:Organization | xsd:date
schema:givenName | schema:Person | xsd:string
schema:honorificPrefix | schema:Person | xsd:string
schema:identifier | eli:LegalResource intmk:PlanVersion intmk:Report org:ChangeEvent | xsd:string
schema:jobTitle | schema:Person | rdf:langString
schema:legalName | org:Organization | rdf:langString
schema:location | schema:Event | schema:Place
schema:name | schema:Person | xsd:string
schema:numberOfPages | intmk:PlanVersion | xsd:integer
schema:organizer | schema:Event | org:Organization schema:Person
schema:participant | schema:Event | org:Organization
schema:position | intmk:PlanVersion | xsd:integer
schema:postalCode | schema:PostalAddress | xsd:string
schema:sha256 | intmk:TextDocument | xsd:string
schema:size | intmk:PlanVersion | rdf:langString
schema:startDate | schema:Event org:ChangeEvent org:Membership intmk:RotationRule | xsd:date
schema:startTime | intmk:Conference | xsd:time
schema:streetAddress | schema:PostalAddress | xsd:string
schema:superEvent | intmk:Conference | intmk:Conference
schema:url | org:Organization | -
skos:altLabel | - | rdf:langString
skos:broadMatch | intmk:Theme | -
skos:broader | intmk:Theme | intmk:Theme
skos:closeMatch | intmk:Theme org:Organization | -
skos:exactMatch | intmk:Theme intmk:Office org:Organization | -
skos:hasTopConcept | skos:ConceptScheme | intmk:Theme
skos:inScheme | intmk:Theme | skos:ConceptScheme
skos:prefLabel | intmk:Theme | rdf:langString
skos:related | intmk:Theme | intmk:Theme
skos:topConceptOf | intmk:Theme | skos:ConceptScheme
"""

collection = sources.collect(ROOT)
PREFIXES = vocab.prefixes(ROOT)
ONTOLOGY = [quad for document in collection.graphs[ONTOLOGY_GRAPH] for quad in document.quads]
DATA = [
    quad
    for graph in (THEMES_GRAPH, SOURCE_GRAPH)
    for document in collection.graphs[graph]
    for quad in document.quads
]


def said(subject: NamedNode, *predicates: NamedNode) -> list:
    """Return what the ontology says of a subject with any of these predicates."""
    return [q.object for q in ONTOLOGY if q.subject == subject and q.predicate in predicates]


def of_type(*types: NamedNode) -> list[NamedNode]:
    """Return the ontology's own terms of these types, in order."""
    found = {q.subject for q in ONTOLOGY if q.predicate == TYPE and q.object in types}
    return sorted((term for term in found if term.value.startswith(INTMK)), key=str)


CLASSES = of_type(CLASS)
OWN_PROPERTIES = of_type(*PROPERTIES)
TERMS = sorted({*CLASSES, *OWN_PROPERTIES}, key=str)
KINDS = sorted(
    {q.subject for q in ONTOLOGY if q.object == NamedNode(f"{INTMK}Kind")} - {*TERMS}, key=str
)
USES: dict[NamedNode, list[Quad]] = {}
for use in DATA:
    USES.setdefault(use.predicate, []).append(use)
TYPES: dict[object, set[NamedNode]] = {}
for typed in (*ONTOLOGY, *DATA):
    if typed.predicate == TYPE:
        TYPES.setdefault(typed.subject, set()).add(typed.object)


@cache
def ancestors(term: NamedNode) -> set[NamedNode]:
    """Return a class and all classes above it."""
    above = {term}
    for parent in said(term, SUBCLASS):
        above |= ancestors(parent)
    return above


def kinds_of(thing: object) -> set[NamedNode]:
    """Return the classes of a thing, stated or following from the class hierarchy."""
    return {above for stated in TYPES.get(thing, ()) for above in ancestors(stated)}


def short(term: NamedNode) -> str:
    """Return a term as a file writes it."""
    return vocab.shrink(term.value, PREFIXES)


def test_every_file_is_read():
    """Ontology, shapes and data have no file that is not RDF, and there are terms to test."""
    assert not collection.failures
    assert len(CLASSES) > 30
    assert len(OWN_PROPERTIES) > 50
    assert len(KINDS) > 20


@pytest.mark.parametrize("term", TERMS, ids=short)
def test_term_is_explained(term):
    """A term has one label and one comment of a full sentence, each in German and English."""
    for predicate in ("label", "comment"):
        texts = said(term, NamedNode(RDFS + predicate))
        assert sorted(text.language for text in texts) == ["de", "en"], predicate
        assert all(text.value == text.value.strip() != "" for text in texts)
    for comment in said(term, NamedNode(f"{RDFS}comment")):
        assert re.fullmatch(r"[A-ZÄÖÜ][^.]*[^.\s]\.", comment.value), "one full sentence"


@pytest.mark.parametrize("term", TERMS, ids=short)
def test_term_is_class_or_property_of_one_kind(term):
    """No term is both class and property, or both kinds of property, or above itself."""
    assert len(said(term, TYPE)) == 1
    inverse = [NamedNode(f"{OWL}inverseOf"), NamedNode(f"{RDFS}subPropertyOf"), SUBCLASS]
    assert term not in said(term, *inverse)
    assert said(term, NamedNode(f"{RDFS}isDefinedBy")) == [ONTOLOGY_GRAPH]


@pytest.mark.parametrize("term", OWN_PROPERTIES, ids=short)
def test_property_says_what_it_relates(term):
    """A property has a domain and a range; those of ours are declared classes."""
    domains, ranges = said(term, *DOMAINS), said(term, *RANGES)
    assert domains
    assert ranges
    ours = [end for end in (*domains, *ranges) if end.value.startswith(INTMK)]
    assert set(ours) <= set(CLASSES)
    is_datatype = PROPERTIES[1] in said(term, TYPE)
    values = (vocab.XSD, vocab.RDF, "http://id.loc.gov/datatypes/")
    assert all(end.value.startswith(values) == is_datatype for end in ranges)


@pytest.mark.parametrize("term", OWN_PROPERTIES, ids=short)
def test_property_fits_its_uses(term):
    """Every use of a property in the data is from its domain into its range."""
    domains, ranges = set(said(term, *DOMAINS)), set(said(term, *RANGES))
    uses = USES.get(term, [])
    outside = [str(quad.subject) for quad in uses if not kinds_of(quad.subject) & domains]
    assert outside == [], "subjects outside the domain"
    astray = [str(quad.object) for quad in uses if not is_in(quad, ranges)]
    assert astray == [], "objects outside the range"


def is_in(quad: Quad, ranges: set[NamedNode]) -> bool:
    """Return whether a statement's object is in one of these classes or datatypes."""
    if isinstance(quad.object, Literal):
        return quad.object.datatype in ranges
    return bool(kinds_of(quad.object) & ranges)


def whole(name: str) -> NamedNode:
    """Return the term that a file writes with a prefix."""
    prefix, local = name.split(":")
    return NamedNode(PREFIXES[prefix] + local)


def standard() -> dict[str, list[tuple[set[str], set[str]]]]:
    """Return the table of the properties of others, by property."""
    table: dict[str, list[tuple[set[str], set[str]]]] = {}
    for line in STANDARD.strip().splitlines():
        name, subjects, values = line.split(" | ")
        table.setdefault(name, []).append((set(subjects.split()), set(values.split())))
    return table


def is_as_told(quad: Quad, rows: list[tuple[set[str], set[str]]]) -> bool:
    """Return whether a statement fits one of the rows for its property."""
    subject = {short(kind) for kind in kinds_of(quad.subject)} | {"-"}
    if isinstance(quad.object, Literal):
        value = {short(quad.object.datatype)}
    else:
        value = {short(kind) for kind in kinds_of(quad.object)} or {"-"}
    return any(subject & subjects and value & values for subjects, values in rows)


def test_properties_of_others_are_used_alike():
    """Each use of a property that is not ours fits the table, and each row of it is used."""
    table = standard()
    uses = [
        quad
        for quad in DATA
        if quad.predicate != TYPE and not quad.predicate.value.startswith(INTMK)
    ]
    assert {short(quad.predicate) for quad in uses} == set(table)
    assert [str(quad) for quad in uses if not is_as_told(quad, table[short(quad.predicate)])] == []
    for name, row in ((name, row) for name, rows in table.items() for row in rows):
        assert any(is_as_told(quad, [row]) for quad in USES[whole(name)]), f"{name} {row}"


def used() -> set[NamedNode]:
    """Return every class, property and kind that the data use, or the ontology itself."""
    classes = {above for thing in TYPES for above in kinds_of(thing)}
    things = {term for quad in DATA for term in (quad.predicate, quad.object)}
    things |= {quad.predicate for quad in ONTOLOGY}
    return {term for term in classes | things if isinstance(term, NamedNode)}


USED = used()


@pytest.mark.parametrize("term", [*TERMS, *KINDS], ids=short)
def test_term_is_used_or_marked(term):
    """A term is used by the data, or its note says in both languages that it is not yet."""
    assert set(said(term, NOTE)) == (set() if term in USED else NOT_YET)


def test_every_term_in_use_is_declared():
    """Data, shapes and queries use no term of ours that the ontology does not declare."""
    declared = {term.value for term in (*TERMS, *KINDS)} | {
        quad.subject.value for quad in ONTOLOGY if quad.subject.value.startswith(KIND)
    }
    paths = [*(ROOT / "shapes").glob("*.ttl"), *(ROOT / "queries").rglob("*.rq")]
    texts = {path: path.read_text(encoding="utf-8") for path in paths}
    for document in collection.graphs[SOURCE_GRAPH]:
        texts[document.path] = document.text
    names = {"intmk": INTMK, "kind": KIND}
    for path, text in texts.items():
        found = re.findall(r"(?<![\w:/-])(intmk|kind):([A-Za-z][\w-]*)", text)
        unknown = {names[prefix] + local for prefix, local in found} - declared
        assert unknown == set(), path.name
    assert len(texts) > 15


def test_prefix_is_declared_once():
    """No prefix and no namespace is declared twice."""
    declared = [
        q for q in ONTOLOGY if q.predicate.value in (f"{vocab.SH}prefix", f"{vocab.SH}namespace")
    ]
    values = [quad.object.value for quad in declared]
    assert len(values) == len(set(values)) == 2 * len(PREFIXES)


def test_files_mean_the_same_by_a_prefix():
    """Every file that declares a prefix gives it the namespace that ``prefixes.ttl`` gives it."""
    paths = [
        path
        for folder in ("ontology", "shapes", "data", "queries", "tests/shapes")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".ttl", ".trig", ".rq")
    ]
    declaration = re.compile(r"^\s*@?prefix\s+([\w-]*):\s*<([^>]*)>", re.IGNORECASE | re.MULTILINE)
    declared = [
        (path.name, *found) for path in paths for found in declaration.findall(path.read_text())
    ]
    assert len(declared) > 100
    assert [one for one in declared if PREFIXES.get(one[1]) != one[2]] == []


def test_shapes_speak_of_every_class_in_use():
    """Each class that has instances is the target of a shape, itself or by a class above it."""
    quads = [quad for document in collection.graphs[SHAPES_GRAPH] for quad in document.quads]
    targets = {q.object for q in quads if q.predicate.value == f"{vocab.SH}targetClass"}
    in_use = {quad.object for quad in DATA if quad.predicate == TYPE}
    assert len(in_use) > 30
    assert [short(kind) for kind in in_use if not ancestors(kind) & targets] == []
