"""The words of the pages in German and English, and names for terms that others declare."""

import unicodedata
from collections.abc import Mapping

LANGUAGES = ("de", "en")

# One row, one text: key, German, English.
_WORDS = (
    ("site", "IntMK-Graph", "IntMK Graph"),
    ("skip", "Zum Inhalt springen", "Skip to content"),
    ("navigation", "Hauptnavigation", "Main navigation"),
    ("home", "Start", "Home"),
    ("sparql", "Abfrage in SPARQL", "Query in SPARQL"),
    ("query", "Abfrage", "Query"),
    ("queries", "Fragen", "Questions"),
    ("ontology", "Ontologie", "Ontology"),
    ("themes", "Themen", "Themes"),
    ("sources", "Quellen", "Sources"),
    ("shapes", "Prüfregeln", "Shapes"),
    ("version", "Version", "Version"),
    ("facts", "Aussagen", "Statements"),
    ("incoming", "Verweise hierauf", "Incoming"),
    ("incoming_of", "← {}", "← {}"),
    ("references", "Belege", "References"),
    ("supports", "Gestützte Aussagen", "Statements supported"),
    ("disputed", "strittig", "disputed"),
    ("data", "Als Daten", "As data"),
    ("no_statements", "Der Graph sagt selbst nichts darüber.", "The graph says nothing about it."),
    ("line", "Zeile {}", "line {}"),
    ("lines", "Zeilen {} bis {}", "lines {} to {}"),
    ("whole_page", "ganze Seite", "whole page"),
    ("derivation_of", "Ableitung „{}“", "derivation “{}”"),
    ("page_of", "Seite {} von {}", "Page {} of {}"),
    ("previous", "Vorige Seite", "Previous page"),
    ("next", "Nächste Seite", "Next page"),
    ("things", "Einträge", "Entries"),
    ("date", "Datum", "Date"),
    ("class", "Klasse", "Class"),
    ("name", "Name", "Name"),
    ("run", "Ausführen", "Run"),
    ("format", "Format", "Format"),
    ("format_html", "Tabelle auf dieser Seite", "Table on this page"),
    ("prefixes", "Präfixe", "Prefixes"),
    ("examples", "Beispiele", "Examples"),
    ("result", "Ergebnis", "Result"),
    ("rows", "{} Zeilen", "{} rows"),
    ("one_row", "1 Zeile", "1 row"),
    ("no_rows", "Keine Zeile: Die Abfrage ist gültig, aber nichts passt auf ihr Muster.",
     "No row: the query is valid, but nothing matches its pattern."),
    ("yes", "Ja", "Yes"),
    ("no", "Nein", "No"),
    ("download", "Vollständig herunterladen", "Download in full"),
    ("shown", "Die ersten {} von {} Zeilen. Die Datei enthält alle.",
     "The first {} of {} rows. The file has all of them."),
    ("whole", "Die Antwort ist vollständig.", "The answer is complete."),
    ("line_column", "Zeile {}, Spalte {}", "Line {}, column {}"),
    ("classes", "Klassen", "Classes"),
    ("relations", "Beziehungen", "Relations"),
    ("attributes", "Werte", "Attributes"),
    ("lists", "Geschlossene Verzeichnisse", "Closed lists"),
    ("subclass", "Unterklasse von", "Subclass of"),
    ("subproperty", "Untereigenschaft von", "Subproperty of"),
    ("domain", "bei", "used on"),
    ("range", "Wert", "value"),
    ("wordings", "Im Wortlaut der Quellen", "In the words of the sources"),
    ("passages", "Belegstellen", "Passages"),
    ("derivations", "Ableitungen der Redaktion", "Derivations by the editors"),
    ("statements", "Aussagen", "statements"),
    ("see_page", "Der Inhalt steht auf einer eigenen Seite.", "Its content has a page of its own."),
    ("no_text", "Der Wortlaut der Quelle ist hier nicht wiedergegeben; Zeilennummern und Prüfsumme "
     "führen zu ihm.", "The text of the source is not shown here; line numbers and checksum lead "
     "to it."),
    ("thing", "Gegenstand", "Thing"),
    ("property", "Eigenschaft", "Property"),
    ("value", "Wert", "Value"),
    ("target", "gilt für", "applies to"),
    ("severity", "Schwere", "Severity"),
    ("cite", "Zitieren", "How to cite"),
    ("remark", "Anmerkung", "remark"),
    ("edit", "Abfrage bearbeiten", "Edit the query"),
    ("prefixes_text", "Diese Präfixe gelten in jeder Abfrage, ohne dass sie vereinbart werden.",
     "These prefixes hold in every query without being declared."),
    ("queries_intro", "Fragen, die der Graph beantwortet, jede mit ihrer Abfrage zum Weiterdenken.",
     "Questions that the graph answers, each with its query to build on."),
    ("themes_intro", "Die Themen der Konferenzen in einer Ordnung; darunter steht, wie die Quellen "
     "sie nennen.", "The themes of the conferences in one order; below each stands what the "
     "sources call it."),
    ("shapes_intro", "Gegen diese Regeln wird jede Aussage geprüft, bevor sie in den Graphen "
     "kommt.", "Every statement is checked against these rules before it enters the graph."),
    ("claim", "Die Konferenzen der Integrationspolitik als Wissensgraph",
     "The conferences of integration policy as a knowledge graph"),
    ("lead", "Integrationsministerkonferenz und Hessische Integrationskonferenz: Sitzungen, "
     "Vorsitze, Ämter, Themen, Beschlüsse und Integrationspläne. Jede Aussage nennt die "
     "Stelle, die sie belegt.",
     "The Conference of Integration Ministers (IntMK) and the Hessian Integration Conference: "
     "sessions, chairs, offices, themes, resolutions and integration plans. Every statement names "
     "the passage that supports it."),
    ("count_statements", "Aussagen", "statements"),
    ("count_passages", "Belegstellen", "passages"),
    ("count_sources", "Quellen", "sources"),
    ("ask", "Drei Fragen zum Anfang", "Three questions to begin with"),
    ("browse", "Stöbern", "Browse"),
    ("whom", "Für wen", "For whom"),
    ("researchers", "Forschung", "Researchers"),
    ("researchers_text", "Abfragen in SPARQL mit Antworten, die vollständig, wiederholbar und "
     "zitierfähig sind.", "Queries in SPARQL, with answers that are complete, repeatable and "
     "citable."),
    ("developers", "Entwicklung", "Developers"),
    ("developers_text", "Jeder Gegenstand hat eine Adresse, die auch Turtle, JSON-LD, RDF/XML, "
     "N-Triples, TriG und N-Quads liefert.", "Every thing has an address that also answers in "
     "Turtle, JSON-LD, RDF/XML, N-Triples, TriG and N-Quads."),
    ("curators", "Redaktion", "Curators"),
    ("curators_text", "Widersprüche bleiben sichtbar, und jede Stelle ist nachprüfbar: Datei, "
     "Zeilen, Prüfsumme.", "Contradictions stay visible, and every passage can be checked: file, "
     "lines, checksum."),
    ("cite_text", "Die Version bestimmt den Inhalt; wer sie nennt, nennt genau diesen Stand.",
     "The version determines the content; to name it is to name exactly this state."),
    ("citation", "IntMK-Graph, Version {}.", "IntMK Graph, version {}."),
)  # fmt: skip

_KINDS = (
    ("agent", "Akteure", "Agents"),
    ("agreement", "Koalitionsvereinbarungen", "Coalition agreements"),
    ("body", "Gremien", "Bodies"),
    ("chair-person-term", "Vorsitzzeiten von Personen", "Chairperson terms"),
    ("chair-term", "Vorsitzperioden", "Chair terms"),
    ("conference", "Konferenzen", "Conferences"),
    ("constitution", "Konstituierungen", "Constitutions"),
    ("contact", "Kontaktstellen", "Contact points"),
    ("contribution", "Länderbeiträge", "Länder contributions"),
    ("derivation", "Ableitungen", "Derivations"),
    ("follow-up", "Folgeprozesse", "Follow-up processes"),
    ("group", "Arbeitsgruppen und Foren", "Working groups and forums"),
    ("kind", "Arten und Status", "Kinds and statuses"),
    ("land", "Länder", "Länder"),
    ("legislative-period", "Legislaturperioden", "Legislative periods"),
    ("meeting-period", "Sitzungszeiträume", "Meeting periods"),
    ("ministry", "Ministerien", "Ministries"),
    ("office", "Ämter", "Offices"),
    ("office-term", "Amtszeiten", "Office terms"),
    ("organization", "Organisationen", "Organizations"),
    ("participation", "Mitwirkungen", "Participations"),
    ("person", "Personen", "People"),
    ("place", "Orte", "Places"),
    ("plan", "Pläne", "Plans"),
    ("plan-version", "Planfassungen", "Plan versions"),
    ("report", "Berichte", "Reports"),
    ("resolution", "Beschlüsse", "Resolutions"),
    ("rotation-rule", "Rotationsregeln", "Rotation rules"),
    ("summit", "Gipfel", "Summits"),
    ("theme", "Themen", "Themes"),
)

_TOPICS = (
    ("bodies", "Gremien", "Bodies"),
    ("chairs", "Vorsitz", "Chairs"),
    ("conferences", "Konferenzen", "Conferences"),
    ("people", "Personen und Ämter", "People and offices"),
    ("plans", "Pläne und Berichte", "Plans and reports"),
    ("quality", "Güte der Daten", "Quality of the data"),
    ("resolutions", "Beschlüsse", "Resolutions"),
    ("sources", "Quellen und Belege", "Sources and passages"),
    ("themes", "Themen", "Themes"),
    ("things", "Gegenstände", "Things"),
)

# Terms of other vocabularies by CURIE; our own are labelled in the ontology.
_BORROWED = (
    ("dcat:byteSize", "Größe in Byte", "size in bytes"),
    ("dcat:landingPage", "Fundstelle im Netz", "landing page"),
    ("dcterms:description", "Beschreibung", "description"),
    ("dcterms:isPartOf", "Teil von", "part of"),
    ("dcterms:issued", "veröffentlicht am", "issued"),
    ("dcterms:language", "Sprache", "language"),
    ("dcterms:license", "Lizenz", "licence"),
    ("dcterms:publisher", "herausgegeben von", "publisher"),
    ("dcterms:title", "Titel", "title"),
    ("eli:passed_by", "gefasst von", "passed by"),
    ("foaf:homepage", "Internetseite", "homepage"),
    ("org:FormalOrganization", "Organisation", "organization"),
    ("org:Organization", "Organisation", "organization"),
    ("org:OrganizationalUnit", "Organisationseinheit", "organizational unit"),
    ("org:member", "Mitglied", "member"),
    ("org:organization", "Organisation", "organization"),
    ("org:originalOrganization", "hervorgegangen aus", "original organization"),
    ("org:postIn", "Amt in", "post in"),
    ("org:resultingOrganization", "Ergebnis", "resulting organization"),
    ("org:role", "Rolle", "role"),
    ("org:unitOf", "Einheit von", "unit of"),
    ("prov:Agent", "Akteur", "agent"),
    ("prov:agent", "Person", "agent"),
    ("prov:hadRole", "in der Rolle", "had role"),
    ("prov:qualifiedAssociation", "Mitwirkung", "association"),
    ("prov:wasDerivedFrom", "abgeleitet aus", "derived from"),
    ("prov:wasRevisionOf", "überarbeitet", "revision of"),
    ("rdf:type", "Klasse", "type"),
    ("rdfs:comment", "Erläuterung", "comment"),
    ("rdfs:label", "Bezeichnung", "label"),
    ("schema:City", "Stadt", "city"),
    ("schema:ContactPoint", "Kontaktstelle", "contact point"),
    ("schema:MixedEventAttendanceMode", "in Präsenz und im Netz", "in person and online"),
    ("schema:OfflineEventAttendanceMode", "in Präsenz", "in person"),
    ("schema:OnlineEventAttendanceMode", "im Netz", "online"),
    ("schema:Person", "Person", "person"),
    ("schema:Place", "Ort", "place"),
    ("schema:PostalAddress", "Anschrift", "postal address"),
    ("schema:addressLocality", "Ort", "locality"),
    ("schema:attendee", "Gast", "attendee"),
    ("schema:contactPoint", "Kontakt", "contact point"),
    ("schema:containedInPlace", "liegt in", "contained in place"),
    ("schema:email", "E-Mail", "e-mail"),
    ("schema:endDate", "Ende", "end date"),
    ("schema:endTime", "Ende (Uhrzeit)", "end time"),
    ("schema:eventAttendanceMode", "Teilnahmeform", "attendance mode"),
    ("schema:familyName", "Familienname", "family name"),
    ("schema:faxNumber", "Fax", "fax number"),
    ("schema:givenName", "Vorname", "given name"),
    ("schema:honorificPrefix", "Titel", "honorific prefix"),
    ("schema:location", "Ort", "location"),
    ("schema:name", "Name", "name"),
    ("schema:participant", "Beteiligte", "participant"),
    ("schema:postalCode", "Postleitzahl", "postal code"),
    ("schema:sha256", "SHA-256", "SHA-256"),
    ("schema:startDate", "Beginn", "start date"),
    ("schema:startTime", "Beginn (Uhrzeit)", "start time"),
    ("schema:streetAddress", "Straße", "street address"),
    ("schema:superEvent", "gehört zu", "part of event"),
    ("schema:telephone", "Telefon", "telephone"),
    ("skos:ConceptScheme", "Verzeichnis", "concept scheme"),
    ("skos:altLabel", "auch genannt", "also called"),
    ("skos:broader", "Oberbegriff", "broader"),
    ("skos:definition", "Definition", "definition"),
    ("skos:editorialNote", "Anmerkung", "editorial note"),
    ("skos:hasTopConcept", "oberstes Thema", "top concept"),
    ("skos:inScheme", "im Verzeichnis", "in scheme"),
    ("skos:prefLabel", "Bezeichnung", "preferred label"),
    ("skos:topConceptOf", "oberstes Thema von", "top concept of"),
)


def _by_language(rows: tuple[tuple[str, str, str], ...]) -> Mapping[str, Mapping[str, str]]:
    return {
        language: {row[0]: row[number] for row in rows}
        for number, language in enumerate(LANGUAGES, 1)
    }


# ``WORDS["de"]["home"]``, likewise the plural names of kinds, topics and borrowed terms.
WORDS = _by_language(_WORDS)
KINDS = _by_language(_KINDS)
TOPICS = _by_language(_TOPICS)
BORROWED = _by_language(_BORROWED)


def collation(text: str) -> str:
    """Return what to sort a name by: Ämter stands beside Amtszeiten (DIN 5007-1)."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def count(number: int, language: str) -> str:
    """Return a whole number with its thousands apart: 12.345 or 12,345."""
    return f"{number:,}".replace(",", "." if language == "de" else ",")
