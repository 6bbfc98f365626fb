"""What each page shows: the values of its template, read from the graph.

Every function takes how to ask, and the view whose labels it sets to those the page needs.
"""

from collections.abc import Iterable
from typing import Any

from intmk import description, registers, vocab, wording
from intmk.rendering import View, cited
from intmk.statements import Ask, Row, labels, reasons

Values = dict[str, Any]


def home(ask: Ask, view: View) -> Values:
    """Return the counts, and the kinds of things by name."""
    kinds = [(view.kind(kind), kind, count) for kind, count in registers.kinds(ask)]
    kinds.sort(key=lambda one: wording.collation(one[0]))
    groups = [
        ("browse", [one for one in kinds if one[1] not in _OWN_KINDS]),
        ("browse_own", [one for one in kinds if one[1] in _OWN_KINDS]),
    ]
    return {"counts": registers.counts(ask), "groups": groups, "base": vocab.BASE}


# What there is only because of the graph itself, not of what it tells.
_OWN_KINDS = ("agent", "derivation", "kind", "measurement", "metric")


def kind(name: str, page: int, ask: Ask, view: View) -> Values:
    """Return a page of the things of a kind, by date, or by name where none has a date."""
    rows, total = registers.things(name, ask, page)
    mentioned = {row[key].value for row in rows for key in ("thing", "class")}
    view.labels = labels(mentioned, ask, view.language)
    has_dates = any("earliest" in row for row in rows)
    rows.sort(
        key=lambda row: (
            str(row.get("earliest", "~")),
            wording.collation(view.name(row["thing"].value).value),
        )
    )
    pages = -(-total // registers.LIST_ROWS)
    return {
        "kind": name, "rows": rows, "total": total, "page": page, "pages": pages,
        "has_dates": has_dates, "has_classes": len({row["class"] for row in rows}) > 1,
    }  # fmt: skip


def sources(ask: Ask, view: View) -> Values:
    """Return every source with its counts, by publisher, and these by initial."""
    rows = registers.sources(ask)
    mentioned = (row[key].value for row in rows for key in ("source", "publisher") if key in row)
    view.labels = labels(mentioned, ask, view.language)
    publishers: dict[str, list[Row]] = {}
    for row in rows:
        name = view.name(row["publisher"].value).value if "publisher" in row else ""
        publishers.setdefault(name, []).append(row)
    letters: dict[str, list[tuple[str, list[Row]]]] = {}
    for name in sorted(publishers, key=wording.collation):
        letters.setdefault(_initial(name), []).append((name, publishers[name]))
    return {"letters": letters, "total": len(rows), "publishers": len(publishers)}


def _initial(name: str) -> str:
    """Return the letter under which a name is found: A to Z, or # for any other."""
    first = wording.collation(name)[:1].upper()
    return first if first.isascii() and first.isalpha() else "#"


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
    view.reasons = reasons((one.iri for one in numbers if one.is_disputed), ask, view.language)
    return {"thing": found, "kind": kind, "name": view.name(iri), "numbers": numbers}


def source(iri: str, ask: Ask, view: View) -> Values:
    """Return the description of a source, and its passages with what they state."""
    found = description.describe(iri, ask, view.language)
    passages = registers.supports(iri, ask)
    said = [each for one in passages for each in one.states]
    about = {value for one in passages for value in one.about.iris()}
    mentioned = description.mentioned([*found.outgoing, *said]) | about | {iri}
    mentioned |= {one.passage.iri for one in passages}
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
