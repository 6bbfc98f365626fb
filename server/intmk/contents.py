"""What each page shows: the values of its template, read from the graph.

Every function takes how to ask, and the view whose labels it sets to those the page needs.
"""

from collections.abc import Iterable
from typing import Any

from intmk import description, registers, vocab, wording
from intmk.rendering import View, cited
from intmk.statements import Ask, labels

Values = dict[str, Any]


def home(ask: Ask, view: View) -> Values:
    """Return the counts, and the kinds of things by name."""
    kinds = [(view.kind(kind), kind, count) for kind, count in registers.kinds(ask)]
    kinds.sort(key=lambda one: wording.collation(one[0]))
    return {"counts": registers.counts(ask), "kinds": kinds, "base": vocab.BASE}


def kind(name: str, page: int, ask: Ask, view: View) -> Values:
    """Return a page of the things of a kind, by date, or by name where none has a date."""
    rows, total = registers.things(name, ask, page)
    mentioned = {row[key].value for row in rows for key in ("thing", "class")}
    view.labels = labels(mentioned, ask, view.language)
    has_dates = any("earliest" in row for row in rows)
    if not has_dates:
        rows.sort(key=lambda row: wording.collation(view.name(row["thing"].value).value))
    pages = -(-total // registers.LIST_ROWS)
    return {
        "kind": name, "rows": rows, "total": total, "page": page, "pages": pages,
        "has_dates": has_dates,
    }  # fmt: skip


def sources(ask: Ask, view: View) -> Values:
    """Return every source with its counts."""
    rows = registers.sources(ask)
    view.labels = labels((row["source"].value for row in rows), ask, view.language)
    return {"rows": rows}


def ontology(ask: Ask, _view: View) -> Values:
    """Return the terms in groups, and which of their properties are shown."""
    terms = registers.ontology(ask)
    groups = [
        ("classes", terms.classes),
        ("relations", terms.relations),
        ("attributes", terms.attributes),
    ]
    rows = [
        ("subclass", (vocab.RDFS + "subClassOf",)),
        ("subproperty", (vocab.RDFS + "subPropertyOf",)),
        ("domain", (vocab.RDFS + "domain", registers.SCHEMA + "domainIncludes")),
        ("range", (vocab.RDFS + "range", registers.SCHEMA + "rangeIncludes")),
    ]
    return {"terms": terms, "groups": groups, "rows": rows}


def themes(ask: Ask, view: View) -> Values:
    """Return the tree of themes and the passages of their wordings, numbered."""
    top = registers.themes(ask)
    said = list(_wordings(top))
    view.labels = labels(description.mentioned(said), ask, view.language)
    return {"themes": top, "numbers": cited(said), "iri": vocab.THEMES_GRAPH.value}


def _wordings(several: Iterable[registers.Theme]) -> Iterable[Any]:
    for theme in several:
        yield from theme.wordings
        yield from _wordings(theme.narrower)


def shapes(ask: Ask, _view: View) -> Values:
    """Return the shapes, and which of their properties are shown."""
    rows = [
        ("target", (vocab.SH + "targetClass",)),
        ("property", (vocab.SH + "path",)),
        ("severity", (vocab.SH + "severity",)),
    ]
    return {"shapes": registers.shapes(ask), "rows": rows}


def quality(ask: Ask, view: View) -> Values:
    """Return the metrics, and the measurements of each class by its name."""
    found = registers.measures(ask)
    mentioned = {iri for one in found for iri in (one.kind, *one.properties)}
    view.labels = labels(mentioned, ask, view.language)
    found.sort(key=lambda one: wording.collation(view.name(one.kind).value))
    metrics = {one.iri.rpartition("/")[2]: one for one in registers.metrics(ask)}
    return {"metrics": metrics, "measures": found, "iri": vocab.QUALITY_GRAPH.value}


def thing(kind: str, iri: str, page: int, ask: Ask, view: View) -> Values:
    """Return the description of a thing and its passages, numbered."""
    found = description.describe(iri, ask, view.language, page)
    view.labels = found.labels
    numbers = cited([*found.outgoing, *found.incoming, *found.supports])
    return {"thing": found, "kind": kind, "name": view.name(iri), "numbers": numbers}


def source(iri: str, ask: Ask, view: View) -> Values:
    """Return the description of a source, and its passages with what they state."""
    found = description.describe(iri, ask, view.language)
    passages = registers.supports(iri, ask)
    said = [each for one in passages for each in one.states]
    about = {value for one in passages for value in one.about.iris()}
    mentioned = description.mentioned([*found.outgoing, *said]) | about | {iri}
    view.labels = labels(mentioned, ask, view.language)
    derived = [one for one in passages if one.passage.kind == vocab.DERIVATION.value]
    lined = [one for one in passages if one not in derived]
    return {
        "thing": found, "name": view.name(iri), "numbers": cited(found.outgoing),
        "groups": [("passages", lined), ("derivations", derived)],
        "reason": vocab.INTMK + "reason", "about": _ABOUT,
    }  # fmt: skip


# What is told of a passage beside its lines.
_ABOUT = (
    vocab.INTMK + "status",
    vocab.INTMK + "contradicts",
    vocab.WAS_DERIVED_FROM.value,
    vocab.INTMK + "checkedBy",
    vocab.INTMK + "checkedHow",
    vocab.INTMK + "checkedOn",
)
