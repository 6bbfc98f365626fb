"""The answers given last, kept while their version of the graph lasts, within a byte budget."""

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock

from intmk import replies
from intmk.wire import Question

# What an answer takes beside its bytes: the objects around it.
_OVERHEAD_BYTES = 1500


@dataclass(slots=True)
class Kept:
    """A short answer as it is sent: plain and, once someone wants that, in a coding."""

    kind: str
    media_type: str
    version: str
    plain: bytes
    _made: dict[str, tuple[bytes, str]] = field(default_factory=dict)

    def body(self, coding: str) -> tuple[bytes, str]:
        """Return the answer, plain or in a coding, and its digest; each is made once."""
        made = self._made.get(coding)
        if made is None:
            body = replies.compress(self.plain, coding) if coding else self.plain
            made = self._made[coding] = body, replies.digest(body)
        return made


class Cache:
    """Answers by question, all on one version; those not asked for longest go first."""

    def __init__(self, limit_bytes: int) -> None:
        """Keep as many answers as take so many bytes."""
        self._limit_bytes = limit_bytes
        self._version = ""
        self._kept: OrderedDict[Question, tuple[Kept, int]] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def get(self, version: str, question: Question) -> Kept | None:
        """Return the answer to a question on a version, if it is kept."""
        with self._lock:
            if version != self._version:
                self._kept.clear()
                self._version, self._bytes = version, 0
            found = self._kept.get(question)
            if found is None:
                return None
            self._kept.move_to_end(question)
            return found[0]

    def put(self, question: Question, answer: Kept) -> None:
        """Keep an answer, if it is on the version that was asked for last."""
        # In each coding it takes as much again, at most.
        plain = len(answer.plain) * (1 + len(replies.CODINGS))
        size = plain + 2 * len(question.text) + _OVERHEAD_BYTES
        with self._lock:
            if answer.version != self._version or size > self._limit_bytes:
                return
            self._bytes += size - self._kept.pop(question, (answer, 0))[1]
            self._kept[question] = answer, size
            while self._bytes > self._limit_bytes:
                self._bytes -= self._kept.popitem(last=False)[1][1]
