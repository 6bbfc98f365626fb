"""Whether a client is there, judged from real connections."""

import socket
import subprocess
import sys
import textwrap

from intmk import presence

# The client is a process of its own: this one's connections are what is looked through.
CLIENT = """
    import socket, sys
    connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    for line in sys.stdin:
        if line == "ask\\n":
            connection.sendall(b"GET / HTTP/1.1\\r\\n\\r\\n")
        if line == "leave\\n":
            connection.close()
        print("done", flush=True)
"""
SERVER = """
    import select, socket, subprocess, sys, time
    from intmk.presence import Presence
    listener = socket.create_server(("127.0.0.1", 0))
    arguments = [sys.executable, "-c", sys.argv[1], str(listener.getsockname()[1])]
    client = subprocess.Popen(arguments, stdin=-1, stdout=-1, text=True)
    connection, _ = listener.accept()

    def tell(word):
        client.stdin.write(word + "\\n")
        client.stdin.flush()
        client.stdout.readline()

    environ = {"REMOTE_ADDR": "127.0.0.1", "SERVER_SOFTWARE": "Granian"}
    tell("ask")
    connection.recv(100)
    presence = Presence(environ, time.perf_counter())
    print("asked", presence())
    other = Presence(environ | {"REMOTE_ADDR": "127.0.0.9"}, time.perf_counter())
    print("never seen", other())
    unknown = Presence(environ | {"SERVER_SOFTWARE": "x"}, time.perf_counter())
    print("another server", unknown())
    tell("leave")
    connection.close()
    print("left", presence(), unknown(), other())
    client.stdin.close()
    client.wait()
"""


def test_a_client_that_was_seen_has_left_when_its_connection_is_gone() -> None:
    """Whoever was never seen, or is not known of, is not said to have left."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SERVER), textwrap.dedent(CLIENT)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.stdout.splitlines() == [
        "asked False",
        "never seen False",
        "another server False",
        "left True False False",
    ], done.stderr


def test_sockets_are_left_open() -> None:
    """Looking through the connections closes none."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as client,
        listener.accept()[0] as served,
    ):
        assert presence.may_wait("127.0.0.1", 0.0)
        client.sendall(b"x")
        assert served.recv(1) == b"x"
