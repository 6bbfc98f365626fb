"""Files that survive: written whole, and grown line by line."""

from pathlib import Path

from intmk import durable


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    """To the letter, and nothing is left beside it."""
    path = tmp_path / "x"
    for text in ("a\r\n\u00fc", b"\xff"):
        durable.write(path, text)
        assert path.read_bytes() == (text.encode() if isinstance(text, str) else text)
    assert list(tmp_path.iterdir()) == [path]


def test_a_line_is_added_to_those_before(tmp_path: Path) -> None:
    """A line that a crash tore stays by itself."""
    path = tmp_path / "x"
    durable.append(path, "first")
    durable.append(path, "second")
    assert path.read_bytes() == b"first\nsecond\n"
    with path.open("ab") as file:
        file.write(b"to")
    durable.append(path, "third")
    assert path.read_bytes() == b"first\nsecond\nto\nthird\n"
