"""Bearer tokens (RFC 6750): made and revoked by the operator, stored only as hashes.

``<store>/tokens.json`` is readable by its owner alone and holds name, scope, dates and the SHA-256
of each secret. A slow hash such as scrypt would add nothing: it protects passwords that can be
guessed, and a secret of 256 random bits cannot.
"""

import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from intmk.errors import InsufficientScope, InvalidRequest, NotFound, Unauthorized

FILE = "tokens.json"
SCOPES = ("read", "propose", "write")
"""What a token allows, each including those before it."""
_PREFIX = "intmk_"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Token(NamedTuple):
    """What is kept of a token; ``hash`` is the SHA-256 of the secret, dates are RFC 3339 in UTC."""

    name: str
    scope: str
    hash: str
    created: str
    expires: str | None = None

    @property
    def has_expired(self) -> bool:
        """Whether the token's time is over."""
        return self.expires is not None and self.expires <= _text(datetime.now(UTC))


def create(store: Path, name: str, scope: str, days: float | None = None) -> str:
    """Make a token and return its secret, which is kept nowhere.

    Raises InvalidRequest when the name is taken or is not a name.
    """
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            f"{name[:80]!r} cannot be the name of a token.",
            hint="Letters, digits, dots, dashes and underscores, at most 64.",
        )
    secret = _PREFIX + secrets.token_urlsafe(32)
    now = datetime.now(UTC)
    expires = None if days is None else _text(now + timedelta(days=days))
    with _changing(store) as found:
        if any(token.name == name for token in found):
            raise InvalidRequest(
                f"There is a token {name} already.", hint=f"Revoke it: intmk token revoke {name}"
            )
        found.append(Token(name, scope, _hash(secret), _text(now), expires))
    return secret


def revoke(store: Path, name: str) -> None:
    """Forget a token; raises NotFound when there is none of this name."""
    with _changing(store) as found:
        kept = [token for token in found if token.name != name]
        if len(kept) == len(found):
            raise NotFound(f"There is no token {name[:80]!r}.", hint="Run: intmk token list")
        found[:] = kept


def tokens(store: Path) -> list[Token]:
    """Return all tokens, oldest first."""
    try:
        return [Token(**row) for row in json.loads((store / FILE).read_text(encoding="utf-8"))]
    except FileNotFoundError:
        return []


def authorize(store: Path, header: str | None, scope: str) -> Token:
    """Return the token in an Authorization header.

    Raises Unauthorized when there is none, or none that is known and valid, and InsufficientScope
    when it does not allow ``scope``.
    """
    scheme, _, secret = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Unauthorized(
            "The request has no bearer token.",
            hint="Send the header Authorization: Bearer …; the operator makes tokens with "
            "intmk token create.",
        )
    token = _known(store, secret.strip())
    if token is None or token.has_expired:
        raise Unauthorized("The token is not known, was revoked or has expired.", invalid=True)
    if SCOPES.index(token.scope) < SCOPES.index(scope):
        raise InsufficientScope(
            f"The token {token.name} has the scope {token.scope}; this needs {scope}.", scope=scope
        )
    return token


def challenge(error: Unauthorized | InsufficientScope) -> str:
    """Return the value of WWW-Authenticate that goes with an error (RFC 6750 section 3)."""
    if isinstance(error, InsufficientScope):
        return f'Bearer realm="intmk", error="insufficient_scope", scope="{error.extra["scope"]}"'
    if "invalid" in error.extra:
        return 'Bearer realm="intmk", error="invalid_token"'
    return 'Bearer realm="intmk"'


def _known(store: Path, secret: str) -> Token | None:
    """Return the token with this secret; the time it takes tells nothing about the others."""
    wanted, match = _hash(secret), None
    for token in tokens(store):
        if hmac.compare_digest(token.hash, wanted):
            match = token
    return match


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


@contextmanager
def _changing(store: Path) -> Iterator[list[Token]]:
    """Give all tokens to be changed, and store them in one step; one change at a time."""
    store.mkdir(parents=True, exist_ok=True)
    with os.fdopen(_private(store / "tokens.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = tokens(store)
        yield found
        beside = store / f".{FILE}"
        with os.fdopen(_private(beside), "w", encoding="utf-8") as file:
            json.dump([token._asdict() for token in found], file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(store / FILE)


def _private(path: Path) -> int:
    """Open a file that only its owner may read, empty."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(descriptor, 0o600)
    return descriptor
