"""The progress bar shows itself only to those who wait."""

import threading

from intmk.progress import Bar


def test_quick_work_shows_nothing(capsys):
    """Before the delay has passed nothing is drawn."""
    with Bar() as bar:
        bar("reading", 1, 2)
    assert capsys.readouterr().err == ""


def test_slow_work_shows_the_stage_it_is_in(capsys, monkeypatch):
    """The timer draws the stage that lasts without being told again; later ones follow."""
    monkeypatch.setattr(Bar, "delay_s", 0.0)
    drawn = threading.Event()

    class Watched(Bar):
        def _show(self) -> None:
            super()._show()
            drawn.set()

    bar = Watched()
    bar("reading", 2, 2)
    bar("checking", 0, 2)
    with bar:
        assert drawn.wait(10)
        bar("storing", 1, 1)
    assert [word for word in capsys.readouterr().err.split() if word.isalpha()] == [
        "checking",
        "storing",
    ]
