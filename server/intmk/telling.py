"""How a finding is told: the thing by its label, terms with prefixes, corrections as in a file."""

import dataclasses
import re

from pyoxigraph import NamedNode, RdfFormat

from intmk import turtle
from intmk.judged import Judged, iri
from intmk.report import Finding
from intmk.shacl import Result
from intmk.vocab import shrink

_IRI = re.compile(r"https?://[^\s<>\"“”]*[\w/#-]")


def of_shape(result: Result, is_known: bool, judged: Judged) -> Finding:
    """Return a result of the shapes as a finding, with its place."""
    english = result.messages.get("en") or next(iter(result.messages.values()), result.component)
    place = judged.accepted_places.nearest(result.focus, result.path, result.value)
    return Finding(
        place.file, place.line, place.column,
        severity=result.severity,
        rule=result.shape or result.component,
        message_de=_with_value(result, result.messages.get("de") or english, "Hier steht", judged),
        message_en=_with_value(result, english, "Given is", judged),
        focus=iri(result.focus),
        path=iri(result.path),
        value="" if result.value is None else str(result.value),
        end_line=place.end_line,
        end_column=place.end_column,
        is_known=is_known,
    )  # fmt: skip


def _with_value(result: Result, message: str, words: str, judged: Judged) -> str:
    """Let a shape's message name the value that is wrong, where it does not do so itself."""
    text = _with_curies(message, judged)
    if result.value is None or result.value == result.focus:
        return text
    plain = getattr(result.value, "value", "")
    given = judged.term(result.value)
    return text if plain in text or given in text else f"{text} {words}: {given}."


def _with_curies(message: str, judged: Judged) -> str:
    """Shorten the IRIs that a shape's message names, so that it reads like the file."""
    return _IRI.sub(lambda found: shrink(found[0], judged.prefixes).strip("<>"), message)


def named(found: Finding, judged: Judged) -> Finding:
    """Let a finding say which thing it is about, by its label where it has one."""
    if not found.focus:
        return found
    node = NamedNode(found.focus)
    name = judged.name(node)
    labels = {one: " ".join(judged.label(node, one).split()) for one in ("de", "en")}
    return dataclasses.replace(
        found,
        label=labels["de"],
        message_de=_with_name(found.message_de, name, labels["de"] and f"„{labels['de']}“"),
        message_en=_with_name(found.message_en, name, labels["en"] and f"“{labels['en']}”"),
    )


def spelt(found: Finding, judged: Judged) -> Finding:
    """Let a correction be written so that it can stand in the file: with prefixes this has."""
    prefix, colon, local = found.fix.partition(":")
    if not colon or not local or prefix not in judged.prefixes:
        return found
    whole = f"{judged.prefixes[prefix]}{local}"
    document = next((one for _, one in judged.members if one.name == found.file), None)
    is_turtle = document is not None and document.format in (RdfFormat.TURTLE, RdfFormat.TRIG)
    declared = turtle.prefixes(document.text) if document and is_turtle else ()
    names = {name: space for name, space, _ in declared}
    return dataclasses.replace(found, fix=shrink(whole, names))


def _with_name(message: str, name: str, label: str) -> str:
    if name in message and not label:
        return message
    whole = f"{label} ({name.strip('<>')})" if label else name
    if message.startswith(f"{name}:"):
        return whole + message[len(name) :]
    return message if name in message else f"{whole}: {message}"
