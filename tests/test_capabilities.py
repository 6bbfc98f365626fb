"""The service description says what is so."""

from pathlib import Path

import pytest
from pyoxigraph import NamedNode, Store, Triple

from intmk import capabilities, vocab
from server_fixtures import ROOT, make_settings

SD = "http://www.w3.org/ns/sparql-service-description#"
HERE = "https://example.org/here"


def described(store: Path, **explicit: object) -> set[Triple]:
    """Return the description of a server whose store is empty."""
    settings = make_settings(store, public_url=HERE, **explicit)
    query = capabilities.description(settings)
    return set(Store().query(query, prefixes=vocab.prefixes(ROOT)))


def says(found: set[Triple], path: str, name: str) -> set[str]:
    """Return what a description says of one of the endpoints."""
    triples = (one for one in found if one.subject == NamedNode(HERE + path))
    return {one.object.value for one in triples if one.predicate == NamedNode(SD + name)}


def test_both_endpoints_are_named_with_their_language(tmp_path: Path) -> None:
    """On the same dataset."""
    found = described(tmp_path)
    for path, language in (("/sparql", "SPARQL11Query"), ("/update", "SPARQL11Update")):
        assert says(found, path, "endpoint") == {HERE + path}
        assert says(found, path, "supportedLanguage") == {SD + language}
        assert says(found, path, "defaultDataset") == {f"{HERE}/sparql#dataset"}


def test_federation_is_a_feature_when_somebody_may_be_asked(tmp_path: Path) -> None:
    """And none when not."""
    assert says(described(tmp_path), "/sparql", "feature") == set()
    found = described(tmp_path, services="https://example.org/sparql")
    assert says(found, "/sparql", "feature") == {f"{SD}BasicFederatedQuery"}


def test_of_another_engine_nothing_more_is_said_than_is_known(tmp_path: Path) -> None:
    """It answers queries; functions and updates are its own affair."""
    found = described(tmp_path, remote="https://example.org/sparql")
    assert says(found, "/sparql", "supportedLanguage") == {f"{SD}SPARQL11Query"}
    assert says(found, "/sparql", "extensionFunction") == set()
    assert says(found, "/update", "endpoint") == set()


@pytest.mark.parametrize("function", capabilities.FUNCTIONS)
def test_the_engine_knows_every_function(tmp_path: Path, function: str) -> None:
    """One that it does not know is an error, whatever its arguments."""
    assert function in says(described(tmp_path), "/sparql", "extensionFunction")
    Store().query(f"SELECT (<{function}>() AS ?x) {{}}")
    with pytest.raises(RuntimeError, match="not supported"):
        Store().query(f"SELECT (<{function}x>() AS ?x) {{}}")
