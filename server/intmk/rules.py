"""The rules that need no shapes: how bad their breach is, and how it is told, in one table."""

from typing import NamedTuple

from intmk.report import Finding, Severity
from intmk.sources import Place


class Rule(NamedTuple):
    """A rule of ours: how bad its breach is, and what is said in German and in English."""

    severity: Severity
    de: str
    en: str


RULES = {
    "syntax": Rule("error", "Das ist kein gültiges RDF: {de}", "This is not RDF: {en}"),
    "unreadable": Rule("error", "Nicht zu prüfen: {de}", "Cannot be checked: {en}"),
    "unknown-prefix": Rule(
        "error",
        "Das Präfix {prefix}: ist nicht erklärt.{fix_de}",
        "The prefix {prefix}: is not declared.{fix_en}",
    ),
    "prefix-namespace": Rule(
        "error",
        "Das Präfix {prefix}: steht hier für {given}; im Graphen steht es für {right}.",
        "The prefix {prefix}: stands for {given} here; in the graph it stands for {right}.",
    ),
    "unknown-term": Rule(
        "error",
        "Der Begriff {term} ist in {vocabulary_de} nicht erklärt.{fix_de}",
        "The term {term} is not declared in {vocabulary_en}.{fix_en}",
    ),
    "unknown-thing": Rule(
        "error",
        "{thing} ist nirgends beschrieben: es hat weder Klasse noch Namen.{fix_de} Beschreibe "
        "es mit a und rdfs:label oder verwende ein bekanntes Ding.",
        "{thing} is described nowhere: it has neither class nor label.{fix_en} Describe it "
        "with a and rdfs:label, or use a known thing.",
    ),
    "iri-policy": Rule(
        "error",
        "Der IRI <{given}> folgt nicht der Regel …/id/<Art>/<Name> mit kleinen Buchstaben ohne "
        "Umlaut, Ziffern und Bindestrichen. Richtig wäre zum Beispiel {example}.",
        "The IRI <{given}> does not follow the rule …/id/<kind>/<slug> with lower-case letters "
        "a to z, digits and hyphens. A right one would be {example}.",
    ),
    "iri-kind": Rule(
        "error",
        "Die Art „{kind}“ im IRI <{given}> gibt es nicht.{fix_de} Es gibt: {kinds}.",
        'There is no kind "{kind}" as in the IRI <{given}>.{fix_en} There are: {kinds}.',
    ),
    "foreign-subject": Rule(
        "error",
        "Der Graph macht Aussagen nur über seine eigenen Dinge, nicht über <{given}>. Beschreibe "
        "ein eigenes Ding, zum Beispiel {example}, und verweise von dort.",
        "The graph states facts about its own things only, not about <{given}>. Describe a thing "
        "of its own, such as {example}, and refer from there.",
    ),
    "ill-typed-literal": Rule(
        "error",
        "„{text}“ ist kein Wert des Typs {datatype}. Richtig wäre zum Beispiel {example}.",
        '"{text}" is not a value of type {datatype}. A right one would be {example}.',
    ),
    "domain": Rule(
        "error",
        "{term} ({label_de}) passt nicht zu {classes_de}. Es gehört zu: {right_de}.",
        "{term} ({label_en}) does not fit {classes_en}. It belongs to: {right_en}.",
    ),
    "range": Rule(
        "error",
        "{given} passt nicht als Wert von {term} ({label_de}). Erwartet wird: {right_de}.",
        "{given} does not fit as a value of {term} ({label_en}). Expected is: {right_en}.",
    ),
    "duplicate": Rule(
        "warning",
        "Den Namen „{name}“ hat schon {other}, von derselben Klasse {kind}. Ist es dasselbe, "
        "verwende {other}; sonst unterscheide die Namen, zum Beispiel durch Jahr oder Ort.",
        '{other}, of the same class {kind}, has the name "{name}" already. If it is the same, use '
        "{other}; else tell the names apart, for instance by year or place.",
    ),
    "contradiction": Rule(
        "error",
        "{term} hat höchstens einen Wert; hier steht {given}, aber {passage_de} sagt {other}. "
        "Stimmt nur eines, setze den anderen Beleg auf intmk:status kind:disputed.",
        "{term} has one value at most; here it is {given}, but {passage_en} says {other}. If only "
        "one is right, set the other passage to intmk:status kind:disputed.",
    ),
    "blank-node": Rule(
        "error",
        "Leere Knoten sind in den Daten nicht erlaubt, weil sie nicht zitiert werden können. "
        "Gib dem Ding einen IRI wie <https://w3id.org/intmk/id/conference/intmk-18>.",
        "Blank nodes are not allowed in the data, since they cannot be cited. "
        "Give the thing an IRI such as <https://w3id.org/intmk/id/conference/intmk-18>.",
    ),
    "no-passage": Rule(
        "error",
        "Diese Aussage steht in keinem Beleg. Schreibe sie in den Graphen der Stelle, die sie "
        "stützt: GRAPH <https://w3id.org/intmk/source/…#line=9,10> {{ … }}.",
        "This statement is in no passage. Write it into the graph of the place that supports it: "
        "GRAPH <https://w3id.org/intmk/source/…#line=9,10> {{ … }}.",
    ),
    "passage-undescribed": Rule(
        "error",
        "Der Graph {passage} ist nirgends als Beleg beschrieben.{fix_de} Ergänze im "
        "Standardgraphen der Datei Klasse, Quelle, Zeilen und Status.",
        "The graph {passage} is nowhere described as a passage.{fix_en} Add its class, source, "
        "lines and status to the default graph of the file.",
    ),
    "passage-empty": Rule(
        "warning",
        "Der Beleg {passage} stützt keine Aussage: sein Graph ist leer. Schreibe in "
        "GRAPH {passage} {{ … }}, was die Stelle belegt, oder streiche den Beleg.",
        "The passage {passage} supports nothing: its graph is empty. Write into "
        "GRAPH {passage} {{ … }} what the place supports, or remove the passage.",
    ),
    "passage-status": Rule(
        "error",
        "Der Beleg {passage} braucht genau einen Status, kind:accepted oder kind:disputed.",
        "The passage {passage} needs exactly one status, kind:accepted or kind:disputed.",
    ),
    "passage-source": Rule(
        "error",
        "Der Beleg {passage} nennt mit dcterms:isPartOf keine bekannte Quelle.{fix_de} "
        "Quellen stehen in data/sources.ttl.",
        "The passage {passage} names no known source with dcterms:isPartOf.{fix_en} "
        "Sources stand in data/sources.ttl.",
    ),
    "passage-lines": Rule(
        "error",
        "Der Beleg {passage} braucht intmk:firstLine und intmk:lastLine, gezählt ab 1, mit "
        "erster ≤ letzter ≤ {line_count} (Zeilenzahl der Quelle); angegeben sind {lines}.",
        "The passage {passage} needs intmk:firstLine and intmk:lastLine, counted from 1, with "
        "first ≤ last ≤ {line_count} (lines of the source); given are {lines}.",
    ),
    "passage-iri": Rule(
        "error",
        "Der IRI des Belegs {passage} stimmt nicht mit seinen Zeilen überein (RFC 5147): für die "
        "Zeilen {lines} endet er auf #{fragment}.",
        "The IRI of the passage {passage} does not agree with its lines (RFC 5147): for lines "
        "{lines} it ends in #{fragment}.",
    ),
    "derivation-source": Rule(
        "error",
        "Die Herleitung {passage} nennt mit prov:wasDerivedFrom keinen beschriebenen Beleg. "
        "Nenne, worauf sie beruht, zum Beispiel prov:wasDerivedFrom "
        "<https://w3id.org/intmk/source/intmk-medien-presse-hessen#line=9,10>.",
        "The derivation {passage} names no described passage with prov:wasDerivedFrom. "
        "Give what it rests on, such as prov:wasDerivedFrom "
        "<https://w3id.org/intmk/source/intmk-medien-presse-hessen#line=9,10>.",
    ),
}


def finding(
    rule: str,
    place: Place,
    focus: str = "",
    path: str = "",
    value: str = "",
    fix: str = "",
    **words: object,
) -> Finding:
    """Return a finding by one of ``RULES``, its texts filled with ``words``.

    ``fix`` is what should stand at the place instead; the texts may name it as ``{fix_de}`` and
    ``{fix_en}``, a sentence that is left out where there is none. Where the place is not that of
    what is wrong, the sentences are given as ``suggestion`` makes them, and no ``fix``.
    """
    severity, german, english = RULES[rule]
    words = {**suggestion(fix), **words}
    return Finding(
        place.file, place.line, place.column, severity, rule,
        german.format(**words), english.format(**words), focus, path, value,
        fix=fix, end_line=place.end_line, end_column=place.end_column,
    )  # fmt: skip


def suggestion(meant: str) -> dict[str, str]:
    """Return the words that say what may be meant; nothing when that is not known."""
    return {
        "fix_de": f" Gemeint ist vielleicht {meant}." if meant else "",
        "fix_en": f" Did you mean {meant}?" if meant else "",
    }
