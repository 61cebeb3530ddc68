"""The stage: starts the sandbox and the service on their data under `var/`, has the story played, shows the ways in.

The data are kept from one start to the next, and the story is played on the first only.
"""

from __future__ import annotations

import dataclasses
import fcntl
import io
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from conference_orchestrator.demo import mailbox, story, ways_in
from conference_orchestrator.demo.client import Client, answers
from conference_orchestrator.demo.processes import LOOPBACK, Child, free_port, is_free, run
from conference_orchestrator.demo.transcript import Transcript
from conference_orchestrator.demo.waiting import GaveUp, until
from conference_orchestrator.demo.ways_in import WaysIn
from conference_orchestrator.settings import Settings

VAR = Path("var")
MAILDIR = VAR / "mail"
SANDBOX_PORT = 9001
LOOK_EVERY_SECONDS = 0.5
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# What a demonstration takes from the environment. An installation's other settings are not its business; a name that
# no setting has is handed on, and stops the service with a clear line as always.
HEEDED = {"CO_SECRET_KEY", "CO_LOG_LEVEL", "CO_LOG_FORMAT"}
NETWORKS = ("paedcan.toml", "covid19-cmss.toml")


def play(port: int) -> int:
    """Run the demonstration on the port until Ctrl-C or SIGTERM. The status of the process: 0, or 1 when it failed.

    What goes wrong is told on standard error, the cause in the first line.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that lacks a letter of a name still shows the story
    say = Transcript(sys.stdout)
    for number in SIGNALS:
        signal.signal(number, _stop)
    try:
        with ExitStack() as running:
            running.enter_context(_alone())
            _watch(_perform(port, say, running))
    except KeyboardInterrupt:
        say.text(f"Stopped. The data are kept in {VAR}/.")
        return 0
    except GaveUp as error:
        sys.stderr.write(f"{error}\n")
        return 1


def environment_for(environ: Mapping[str, str], *, address: str, sandbox_address: str) -> dict[str, str]:
    """The environment of the demonstration's processes: its own settings in place of an installation's."""
    own = {f"CO_{field.name.upper()}" for field in dataclasses.fields(Settings)} - HEEDED
    kept = {name: value for name, value in environ.items() if name.removesuffix("_FILE") not in own}
    return (
        {"CO_LOG_FORMAT": "text"}
        | kept
        | {
            "CO_DATABASE_URL": f"sqlite:///{VAR / 'conference.db'}",
            "CO_PUBLIC_URL": address,
            "CO_MAIL_FROM": "Helpdesk <helpdesk@conference.example>",
            "CO_PROVIDER": "webex",
            "CO_WEBEX_URL": f"{sandbox_address}/v1/",
            "CO_WEBEX_TOKEN": "demonstration",
            "CO_WEBEX_HOSTS": "host-1@paedcan.example,host-2@paedcan.example",
            # A proxy has no way to this machine's own ports.
            "NO_PROXY": LOOPBACK,
            "no_proxy": LOOPBACK,
        }
    )


def network_files() -> list[Path]:
    """The demonstration networks: inside an installed package, else in the checkout's `config/`."""
    packaged = Path(__file__).parent / "networks"
    folder = packaged if packaged.is_dir() else Path(__file__).parents[2] / "config"
    return [folder / name for name in NETWORKS]


def _perform(port: int, say: Transcript, running: ExitStack) -> list[Child]:
    """Everything up to the last line that is printed; the children go on."""
    if not is_free(port):
        raise GaveUp(f"Port {port} is in use; choose another with --port.")
    address, sandbox_port = f"http://{LOOPBACK}:{port}", free_port(SANDBOX_PORT)
    sandbox_address = f"http://{LOOPBACK}:{sandbox_port}"
    environment = environment_for(os.environ, address=address, sandbox_address=sandbox_address)

    def start(name: str, *words: str) -> Child:
        child = Child(name, *words, environment=environment, log=VAR / "log" / f"{name}.log")
        return running.enter_context(child)

    say.text("Loading the demonstration networks, starting the sandbox and the service ...")
    sandbox = start("sandbox", "sandbox", "webex", f"--port={sandbox_port}", f"--state={VAR / 'sandbox.json'}")
    token = _prepare(environment)
    children = [sandbox, start("service", "run", f"--port={port}")]
    _until_ready(children, f"{sandbox_address}/", f"{address}/health/ready")
    try:
        ways = ways_in.opened(Client(address, token))
        _tell(ways, say)
    except GaveUp:
        _must_live(children)  # a child that has ended is the cause, and tells more
        raise
    _show(ways, address, sandbox_address, say)
    return children


def _prepare(environment: Mapping[str, str]) -> str:
    """Make or upgrade the database, load the networks, and make the token that makes the others."""
    loads = [("load", str(file)) for file in network_files()]
    first_token = ("token", "create", "--role=helpdesk", f"--name={ways_in.FIRST}")
    return run(("db", "upgrade"), *loads, first_token, environment=environment)


def _until_ready(children: Sequence[Child], *addresses: str) -> None:
    def look() -> bool | None:
        _must_live(children)
        return all(answers(address) for address in addresses) or None

    until(look, f"the sandbox and the service to be ready; {VAR / 'log'} tells more")


def _tell(ways: WaysIn, say: Transcript) -> None:
    if story.is_played(ways[ways_in.HELPDESK]):
        say.text(
            f"The data of an earlier start are kept and the story is not played again; without {VAR}/ it would be."
        )
    else:
        story.play(ways, mailbox.Mailbox(MAILDIR), say)


def _show(ways: WaysIn, address: str, sandbox_address: str, say: Transcript) -> None:
    """The addresses to look at, and a token of each role."""
    say.title("Where to look")
    say.line("home page", f"{address}/")
    say.line("API", f"{address}/api/docs and {address}/api/v1/openapi.json")
    say.line("health", f"{address}/health/ready")
    say.line("sandbox", f"{sandbox_address}/")
    invitation = mailbox.last(MAILDIR, "invitation-update")
    if invitation is not None:
        link = urlsplit(invitation.link("/i/"))
        say.line("an invitation", f"{address}{link.path}")
    say.line("mails", f"{MAILDIR / 'new'} (a Maildir: mutt -f {MAILDIR})")
    say.line("logs", f"{VAR / 'log'}")
    say.title("A way in for each role: bearer tokens, good until the next start")
    for (role, *limit), client in ways.items():
        say.line(role, "  ".join([client.token, *limit[1:]]))
    say.title("For instance, every mail that the helpdesk sent")
    authorization = f'-H "Authorization: Bearer {ways[ways_in.HELPDESK].token}"'
    say.command(f"curl {authorization} \\", f"     {address}/api/v1/deliveries")
    say.title("It runs until Ctrl-C. A second start keeps the data.")


def _watch(children: Sequence[Child]) -> NoReturn:
    """Wait for the signal that ends it. GaveUp when a child ends by itself."""
    while True:
        _must_live(children)
        time.sleep(LOOK_EVERY_SECONDS)


def _must_live(children: Sequence[Child]) -> None:
    for child in children:
        child.must_live()


@contextmanager
def _alone() -> Iterator[None]:
    """Hold the data. GaveUp when they cannot be kept, and when another demonstration holds them.

    Two sandboxes would write over each other's meetings.
    """
    try:
        (VAR / "log").mkdir(parents=True, exist_ok=True)
        held = (VAR / "demo.lock").open("w")
    except OSError as error:
        raise GaveUp(f"The demonstration cannot keep its data in {VAR.absolute()}: {error.strerror}.") from error
    with held as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise GaveUp("A demonstration is running in this folder already; stop it, or start in another.") from error
        yield


def _stop(_number: int, _frame: object) -> NoReturn:
    """End in order. Further signals are ignored: the children are being ended already."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
