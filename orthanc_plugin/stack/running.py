"""The stack itself: start in order, wait until it answers, end in order."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from headct.errors import HeadCTError, SettingsError
from orthanc_plugin.stack import nginx, orthanc
from orthanc_plugin.stack.credentials import Credentials, load_or_create, write_private
from orthanc_plugin.stack.options import Options
from orthanc_plugin.stack.processes import Child, first_dead

UNFINISHED_RESTORE = "RESTORE-NOT-FINISHED"
"""A file in a data folder while a backup is restored into it; who finds it later knows that it broke off."""
START_SECONDS = 60.0
"""How long Orthanc and nginx may take until they answer."""


class StackError(HeadCTError):
    """A part of the stack did not start or ended by itself."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A running stack."""

    options: Options
    credentials: Credentials
    children: tuple[Child, ...]


@contextmanager
def running(options: Options) -> Iterator[Stack]:
    """Start the stack; it is up inside the block and gone after it.

    Raises:
        SettingsError: An option is wrong; nothing was started.
        StackError: A part did not come up.
    """
    options.check()
    if (options.data / UNFINISHED_RESTORE).exists():
        raise SettingsError(
            f"the restore into {options.data} was broken off: remove what lies in it, and restore again"
        )
    logs = options.data / "logs"
    try:
        options.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        logs.mkdir(exist_ok=True)
    except OSError as error:
        raise SettingsError(f"{options.data} cannot be the data folder: {error.strerror}") from error
    with _only_one(options):
        credentials = load_or_create(options.data)
        # Written before anything starts, so that every mistake in a setting shows with nothing to clean up.
        config = options.data / orthanc.CONFIGURATION
        write_private(config, json.dumps(orthanc.configuration(options, credentials), indent=2))
        (options.data / "loopback.lua").write_text(orthanc.LOOPBACK_GUARD)
        (options.data / "orthanc").mkdir(exist_ok=True)
        nginx_config = nginx.write_configuration(options, options.data / "nginx", logs)

        commands = {
            "Orthanc": (logs / "orthanc.log", [orthanc.find_executable(), str(config)]),
            "nginx": (
                logs / "nginx.log",
                [
                    nginx.find_executable(),
                    *("-p", str(nginx_config.parent), "-c", str(nginx_config)),
                    *("-e", str(logs / "nginx.log")),
                ],
            ),
        }
        children: list[Child] = []
        try:
            for name, (log, command) in commands.items():
                children.append(Child(name, command, log, {**os.environ, **orthanc.environment()}))
            stack = Stack(options, credentials, tuple(children))
            _wait_until_up(stack)
            yield stack
        finally:
            for child in reversed(children):
                child.stop()


@contextmanager
def _only_one(options: Options) -> Iterator[None]:
    """Hold the data folder's lock: two servers on one database would destroy it."""
    with (options.data / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SettingsError(f"another `headct up` is using {options.data}") from error
        yield


def _wait_until_up(stack: Stack) -> None:
    """Wait until Orthanc and nginx answer, with our password and not without it."""
    deadline = time.monotonic() + START_SECONDS
    addresses = [f"{stack.options.orthanc_url}/system", stack.options.ohif_url]
    with httpx.Client(auth=(stack.credentials.user, stack.credentials.password), trust_env=False) as client:
        while addresses:
            if dead := first_dead(stack.children):
                raise StackError(ended_message(dead))
            if time.monotonic() > deadline:
                raise StackError(f"{addresses[0]} did not answer within {START_SECONDS:.0f} s")
            try:
                if client.get(addresses[0], timeout=5).status_code == httpx.codes.OK:
                    addresses.pop(0)
                    continue
            except httpx.TransportError:
                pass
            time.sleep(0.1)


def ended_message(child: Child) -> str:
    """What to tell about a part that ended by itself."""
    return f"{child.name} ended (status {child.exit_status}); the end of {child.log}:\n{child.last_lines()}"
