"""Tokens: who may write, who may not, and what is left of a secret on the disk."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from intmk import tokens
from intmk.errors import InsufficientScope, InvalidRequest, NotFound, Unauthorized


def test_a_token_is_known_by_its_secret(tmp_path: Path) -> None:
    """The scheme is matched without regard to case (RFC 9110 section 11.1)."""
    secret = tokens.create(tmp_path, "ada", "write")
    for header in (f"Bearer {secret}", f"bearer {secret}", f"BEARER  {secret} "):
        assert tokens.authorize(tmp_path, header, "write").name == "ada"


def test_a_secret_is_stored_nowhere(tmp_path: Path) -> None:
    """Only a hash, in a file that nobody else may read, whatever the umask."""
    mask = os.umask(0)
    try:
        secret = tokens.create(tmp_path, "ada", "write")
    finally:
        os.umask(mask)
    for path in tmp_path.iterdir():
        assert secret not in path.read_text()
        assert path.stat().st_mode & 0o777 == 0o600
    assert len(secret) >= 43


def test_secrets_differ(tmp_path: Path) -> None:
    """Each token has its own."""
    made = [tokens.create(tmp_path, f"t{number}", "read") for number in range(5)]
    assert len(set(made)) == 5


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic YTpi", "intmk_x"])
def test_without_a_token_nobody_is_known(tmp_path: Path, header: str | None) -> None:
    """The challenge names the scheme, and no error, since nothing was wrong yet."""
    tokens.create(tmp_path, "ada", "write")
    with pytest.raises(Unauthorized, match="no bearer token") as caught:
        tokens.authorize(tmp_path, header, "write")
    assert tokens.challenge(caught.value) == 'Bearer realm="intmk"'


@pytest.mark.parametrize("secret", ["intmk_x", "ü", "\udcff", "a b", "null"])
def test_a_wrong_token_is_told(tmp_path: Path, secret: str) -> None:
    """Any bytes may come; the challenge says invalid_token."""
    tokens.create(tmp_path, "ada", "write")
    for store in (tmp_path / "none", tmp_path):
        with pytest.raises(Unauthorized) as caught:
            tokens.authorize(store, f"Bearer {secret}", "write")
        assert 'error="invalid_token"' in tokens.challenge(caught.value)


@pytest.mark.parametrize("scope", tokens.SCOPES)
@pytest.mark.parametrize("needed", tokens.SCOPES)
def test_a_scope_includes_those_before_it(tmp_path: Path, scope: str, needed: str) -> None:
    """Who may write may propose; who may propose may not write."""
    header = f"Bearer {tokens.create(tmp_path, 'ada', scope)}"
    if tokens.SCOPES.index(scope) >= tokens.SCOPES.index(needed):
        assert tokens.authorize(tmp_path, header, needed).scope == scope
    else:
        with pytest.raises(InsufficientScope, match=f"needs {needed}") as caught:
            tokens.authorize(tmp_path, header, needed)
        said = tokens.challenge(caught.value)
        assert f'error="insufficient_scope", scope="{needed}"' in said


def test_a_revoked_token_is_not_known_any_more(tmp_path: Path) -> None:
    """At once, and the others are."""
    ada, bob = (tokens.create(tmp_path, name, "write") for name in ("ada", "bob"))
    tokens.revoke(tmp_path, "ada")
    assert [token.name for token in tokens.tokens(tmp_path)] == ["bob"]
    assert tokens.authorize(tmp_path, f"Bearer {bob}", "write")
    with pytest.raises(Unauthorized):
        tokens.authorize(tmp_path, f"Bearer {ada}", "write")
    with pytest.raises(NotFound, match="token list"):
        tokens.revoke(tmp_path, "ada")


def test_a_token_expires(tmp_path: Path) -> None:
    """When its days are over; one without days does not."""
    old = tokens.create(tmp_path, "old", "write", days=0)
    new = tokens.create(tmp_path, "new", "write", days=1)
    with pytest.raises(Unauthorized):
        tokens.authorize(tmp_path, f"Bearer {old}", "write")
    assert tokens.authorize(tmp_path, f"Bearer {new}", "write").expires


@pytest.mark.parametrize("name", ["", "a b", "-a", "ä", "a" * 65, "a\n", "../a"])
def test_a_name_is_a_name(tmp_path: Path, name: str) -> None:
    """It goes into the journal and on the command line."""
    with pytest.raises(InvalidRequest, match="cannot be the name"):
        tokens.create(tmp_path, name, "write")


def test_a_name_is_given_once(tmp_path: Path) -> None:
    """The hint says how to make it free."""
    tokens.create(tmp_path, "ada", "write")
    with pytest.raises(InvalidRequest, match="token revoke ada"):
        tokens.create(tmp_path, "ada", "read")


def test_tokens_made_at_once_are_all_kept(tmp_path: Path) -> None:
    """Two operators do not overwrite each other's."""
    code = "import sys; from pathlib import Path; from intmk import tokens\n"
    code += "for n in range(5): tokens.create(Path(sys.argv[1]), f'{sys.argv[2]}{n}', 'read')"
    with ThreadPoolExecutor() as pool:
        for name in "abcd":
            command = [sys.executable, "-c", code, str(tmp_path), name]
            pool.submit(subprocess.run, command, check=True)
    assert len(json.loads((tmp_path / tokens.FILE).read_text())) == 20
