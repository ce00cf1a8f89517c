"""`scorm-bridge` as the blocks of a page call it, without a second of imports for each command.

A process that has imported everything forks for each call (`python -m tests.documentation.command_server SOCKET`); the
script that stands for `scorm-bridge` hands it arguments, directory, environment and files.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import sys
import time
from pathlib import Path

from bridge.cli import main
from tests.support.accounts import PASSWORD

SERVICES = {"serve", "sandbox"}
"""Commands that run until they are stopped."""
SCRIPT = """\
#!{python} -IS
import json, os, pathlib, socket, sys, time

arguments, service = sys.argv[1:], None
if {services} & set(arguments):
    # what people start in another terminal: it runs until the page's end, and the next command finds it listening
    service = pathlib.Path(os.environ["SERVICE_LOG"])
    service.unlink(missing_ok=True)
    out = err = os.open(service, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
else:
    out, err = 1, 2
connection = socket.socket(socket.AF_UNIX)
connection.connect({socket!r})
request = json.dumps([arguments, os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(connection, [len(request).to_bytes(4, "big")], [0, out, err])
connection.sendall(request)
connection.setblocking(service is None)
while True:
    try:
        code = connection.recv(1)
    except BlockingIOError:
        if "listens on" in service.read_text():
            sys.exit(0)
        time.sleep(0.02)
        continue
    if service is not None:
        sys.stderr.write(service.read_text())
    sys.exit(code[0] if code else 70)
"""
"""What is in braces is filled in by `install`."""


def install(folder: Path, address: Path) -> None:
    """Write the script that stands for `scorm-bridge` into a folder."""
    script = folder / "scorm-bridge"
    script.write_text(SCRIPT.format(python=sys.executable, services=SERVICES, socket=str(address)), encoding="utf-8")
    script.chmod(0o755)


def run(address: Path) -> None:
    """Serve calls until the process is killed; what it started dies with its process group."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(address))
        listener.listen()
        print("ready", flush=True)  # noqa: T201 -- to the test that waits for it
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _call(connection)
            connection.close()


def _call(connection: socket.socket) -> None:
    """Run one command in this process, send its exit status, and end."""
    code = 70
    try:
        size, files, _, _ = socket.recv_fds(connection, 4, 3)
        request = b""
        while len(request) < int.from_bytes(size, "big"):
            request += connection.recv(65_536)
        arguments, folder, environment = json.loads(request)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        for number, file in enumerate(files):
            os.dup2(file, number)
        if not stat.S_ISFIFO(os.fstat(0).st_mode):
            _answer_questions(arguments)
        if SERVICES & set(arguments):
            _replace_service(Path(environment["SERVICE_LOG"]).with_suffix(".pid"))
        sys.argv = ["scorm-bridge", *arguments]
        main(prog_name="scorm-bridge")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:  # noqa: BLE001 -- the process ends here, and nobody else would say why
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        connection.sendall(bytes([code]))
        os._exit(code)


def _replace_service(file: Path) -> None:
    """Stop the bridge that the page has started before, as Ctrl-C would, and become the one that runs."""
    if file.exists():
        earlier = int(file.read_text())
        os.kill(earlier, signal.SIGINT)
        while Path(f"/proc/{earlier}").exists():
            time.sleep(0.02)
    file.write_text(str(os.getpid()))


def _answer_questions(arguments: list[str]) -> None:
    """Give standard input what a person would type: a password, twice, or that they are sure."""
    reading, writing = os.pipe()
    is_asked_for_password = {"create", "set-password"} & set(arguments)
    os.write(writing, f"{PASSWORD}\n{PASSWORD}\n".encode() if is_asked_for_password else b"y\n" * 5)
    os.close(writing)
    os.dup2(reading, 0)


if __name__ == "__main__":
    run(Path(sys.argv[1]))
