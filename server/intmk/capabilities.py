"""What the endpoints can do, as SPARQL 1.1 Service Description has it."""

from intmk.settings import Settings

# https://www.w3.org/ns/formats/
_FORMATS = (
    "SPARQL_Results_JSON",
    "SPARQL_Results_XML",
    "SPARQL_Results_CSV",
    "SPARQL_Results_TSV",
    "Turtle",
    "N-Triples",
    "JSON-LD",
    "RDF_XML",
    "TriG",
    "N-Quads",
)
_GEOSPARQL = "http://www.opengis.net/def/function/geosparql/"
_OF_GEOMETRIES = (
    "area convexHull coordinateDimension difference dimension distance ehContains ehCoveredBy "
    "ehCovers ehDisjoint ehEquals ehInside ehMeet ehOverlap envelope getSRID intersection isEmpty "
    "isSimple length perimeter rcc8dc rcc8ec rcc8eq rcc8ntpp rcc8ntppi rcc8po rcc8tpp rcc8tppi "
    "relate sfContains sfCrosses sfDisjoint sfEquals sfIntersects sfOverlaps sfTouches sfWithin "
    "symDifference union"
)
# What the engine knows beyond SPARQL 1.1; its other functions and aggregates need no mention.
FUNCTIONS = tuple(_GEOSPARQL + name for name in _OF_GEOMETRIES.split())


def description(settings: Settings) -> str:
    """Return the query whose answer describes the service, with the graphs counted as they are."""
    endpoint = f"{settings.public_url}/sparql"
    formats = " , ".join(f"<http://www.w3.org/ns/formats/{name}>" for name in _FORMATS)
    # What another engine can do beyond queries is not known here.
    more = "" if settings.remote else _more(settings, endpoint)
    return f"""CONSTRUCT {{
  <{endpoint}> a sd:Service ; sd:endpoint <{endpoint}> ;
    sd:supportedLanguage sd:SPARQL11Query ; sd:resultFormat {formats} ;
    sd:defaultDataset <{endpoint}#dataset> .
  {more}
  <{endpoint}#dataset> a sd:Dataset ; sd:defaultGraph <{endpoint}#default> ; sd:namedGraph ?node .
  <{endpoint}#default> a sd:Graph ; void:triples ?all .
  ?node a sd:NamedGraph ; sd:name ?name ; sd:graph ?graph .
  ?graph a sd:Graph ; void:triples ?count .
}} WHERE {{
  {{ SELECT (COUNT(*) AS ?all) {{ ?s ?p ?o }} }} UNION
  {{ SELECT ?name (COUNT(*) AS ?count) {{ GRAPH ?name {{ ?s ?p ?o }} }} GROUP BY ?name }}
  BIND(ENCODE_FOR_URI(STR(?name)) AS ?key)
  BIND(IRI(CONCAT("{endpoint}#named=", ?key)) AS ?node)
  BIND(IRI(CONCAT("{endpoint}#graph=", ?key)) AS ?graph)
}}"""


def _more(settings: Settings, endpoint: str) -> str:
    """Return what our own engine can do, as triples of a template."""
    update = f"{settings.public_url}/update"
    functions = " , ".join(f"<{function}>" for function in FUNCTIONS)
    typed = " ".join(f"<{function}> a sd:Function ." for function in FUNCTIONS)
    asks_others = settings.services != "none"
    feature = f"<{endpoint}> sd:feature sd:BasicFederatedQuery ." if asks_others else ""
    return f"""<{endpoint}> sd:extensionFunction {functions} . {typed} {feature}
  <{update}> a sd:Service ; sd:endpoint <{update}> ;
    sd:supportedLanguage sd:SPARQL11Update ; sd:defaultDataset <{endpoint}#dataset> ."""
