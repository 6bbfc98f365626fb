"""The table of settings: sources of a value, their order, errors and documentation."""

import dataclasses
from pathlib import Path

import pytest

from intmk import settings


def test_a_flag_wins_over_the_environment_and_the_environment_over_the_default() -> None:
    """Explicit values come first, INTMK_ variables next, the table last."""
    environ = {"INTMK_PORT": "9000", "INTMK_HOST": "::1"}
    found = settings.read({"port": 9001, "host": None}, environ)
    assert (found.port, found.host, found.queue_length) == (9001, "::1", 128)


def test_the_store_and_the_address_follow_from_other_settings() -> None:
    """Moving the root moves the store; host and port make the public address."""
    found = settings.read({"root": "/srv/graph", "port": 81}, {})
    assert found.store == Path("/srv/graph/var")
    assert found.public_url == "http://127.0.0.1:81"


def test_the_default_root_is_the_checkout() -> None:
    """Without a setting the graph is the one this package was checked out with."""
    assert (settings.read({}, {}).root / "pyproject.toml").is_file()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("port", "http"),
        ("store", "https://example.org/sparql"),
        ("remote", "example.org/sparql"),
        ("remote", "http:///sparql"),
        ("follow", "https://example.org:99999/"),
        ("port", "-1"),
        ("query_timeout_s", "0"),
        ("query_timeout_s", "inf"),
        ("gate", "maybe"),
        ("keep_versions", "1"),
        ("trusted_proxies", "localhost"),
    ],
)
def test_a_value_that_cannot_be_read_names_setting_and_value(name: str, text: str) -> None:
    """The message says which setting, by which variable, holds which wrong value."""
    with pytest.raises(settings.SettingError) as caught:
        settings.read({name: text}, {})
    assert name in str(caught.value)
    assert f"INTMK_{name.upper()}" in str(caught.value)
    assert repr(text) in str(caught.value)


def test_the_environment_of_settings_reads_back_as_the_same_settings() -> None:
    """A child process started with `environment()` has the same settings."""
    found = settings.read({"port": 81, "query_timeout_s": 0.5}, {})
    assert settings.read({}, found.environment()) == found


def test_table_and_dataclass_have_the_same_names() -> None:
    """No setting is in one and not in the other."""
    fields = [field.name for field in dataclasses.fields(settings.Settings)]
    assert [row.name for row in settings.SETTINGS] == fields


def test_every_setting_is_documented_as_the_table_has_it() -> None:
    """docs/settings.md has one row for each setting, with variable, default and help."""
    text = (Path(__file__).parents[1] / "docs/settings.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert rows == [
        f"| `{row.name}` | `{row.variable}` | {row.default or '—'} | {row.help} |"
        for row in settings.SETTINGS
    ]


def test_an_address_may_hold_a_name_and_password() -> None:
    """They become a header, and are not shown."""
    address = "https://ada:a%3Ab@example.org:8443/sparql?x=1"
    assert settings.credentials(address) == {"Authorization": "Basic YWRhOmE6Yg=="}
    assert settings.credentials("https://example.org/") == {}
    assert settings.shown(address) == "https://example.org:8443/sparql?x=1"
