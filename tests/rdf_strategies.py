"""Hypothesis strategies for RDF terms and quads, shared by the tests of reading and writing."""

from hypothesis import strategies as st
from pyoxigraph import Literal, NamedNode, Quad

iris = st.sampled_from(["http://x/a", "http://x/b.c", "http://y/ä", "http://x/"]).map(NamedNode)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
literals = st.one_of(
    texts.map(Literal),
    st.builds(lambda value: Literal(value, language="de"), texts),
    st.builds(lambda value: Literal(value, datatype=NamedNode("http://x/t")), texts),
    st.integers().map(Literal),
)
quads = st.builds(Quad, iris, iris, iris | literals, st.none() | iris)
