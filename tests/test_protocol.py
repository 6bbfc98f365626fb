"""The parameters of a request as they are read; the protocol in full is in ``test_http``."""

from urllib.parse import unquote_to_bytes

from hypothesis import example, given
from hypothesis import strategies as st

from intmk.protocol import Parameters

_BYTES = st.text(alphabet="%=+&ab09AF_ \r\n\tä😀").map(str.encode)


@given(_BYTES.filter(lambda text: b"&" not in text))
@example(b"a=%3D%0A%\n=20%zz=")
def test_what_is_percent_encoded_is_read_as_the_library_reads_it(text: bytes) -> None:
    """Whatever is malformed, and whatever looks like quoted-printable."""
    value = unquote_to_bytes(text.replace(b"+", b" "))
    try:
        expected = value.decode()
    except UnicodeDecodeError:
        return
    assert Parameters(b"query=" + text).one("query") == expected


def test_many_values_of_a_parameter_keep_their_order() -> None:
    """However many there are."""
    text = b"&".join(b"a=%d" % number for number in range(100_000))
    assert Parameters(text).all("a") == tuple(str(number) for number in range(100_000))
