"""The table of nftables: what it says, and as root what it does, in a network of its own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orthanc_plugin.health.ports import sentence
from orthanc_plugin.settings import from_orthanc
from orthanc_plugin.stack import firewall, orthanc
from orthanc_plugin.stack.credentials import Credentials
from orthanc_plugin.stack.firewall import Firewall
from orthanc_plugin.stack.options import CallingAE, Options

SCANNERS = (CallingAE("CT1", "192.0.2.10"), CallingAE("CT2", "2001:db8::5"), CallingAE("CT3", "192.0.2.10"))
NFT = shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin")


def a_network_may_be_made() -> bool:
    """Whether we are root on a machine that has nftables, and may have a network of our own."""
    if NFT is None or os.geteuid() != 0:
        return False
    command = ["unshare", "--net", NFT, "add", "table", "inet", "headct_try"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_the_table_names_both_ports_and_each_scanner(tmp_path: Path) -> None:
    rules = Firewall(Options(tmp_path, 8042, 4242, 3000, calling_aes=SCANNERS)).rules
    assert "tcp dport != { 8042, 4242 } return;" in rules
    assert rules.count("saddr") == 2
    assert "tcp dport 4242 ip saddr 192.0.2.10 return" in rules
    assert "tcp dport 4242 ip6 saddr 2001:db8::5 return" in rules
    assert "3000" not in rules, "that is the front door"
    assert rules.endswith("reject with tcp reset; }; }\n")


@pytest.mark.parametrize("version", [(1, 10, 1), (1, 12, 9), ()])
def test_where_it_cannot_be_made_both_ports_are_told(tmp_path: Path, version: tuple[int, ...]) -> None:
    made = Firewall(Options(tmp_path, calling_aes=SCANNERS[:1]))
    dicom, http = (sentence(port) for port in made.open_ports(version))
    assert "port 4242 (DICOM), which takes images from CT1@192.0.2.10 only" in dicom.say("en")
    assert "port 8042" in http.say("en")
    (local, _) = Firewall(Options(tmp_path)).open_ports(version)
    assert "from this machine only" in sentence(local).say("en")


def test_newer_versions_bind_http_to_loopback(tmp_path: Path) -> None:
    assert [port.kind for port in Firewall(Options(tmp_path)).open_ports((1, 12, 10))] == ["DICOM"]


def test_the_page_is_told(tmp_path: Path) -> None:
    ports = Firewall(Options(tmp_path, calling_aes=SCANNERS)).open_ports((1, 10, 1))
    told = orthanc.configuration(Options(tmp_path), Credentials("a", "b"), ports)
    assert from_orthanc(json.loads(json.dumps(told))).open_ports == ports


@pytest.mark.parametrize("found", [None, "/bin/false", "/nonexistent"])
def test_no_nftables_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: str | None) -> None:
    monkeypatch.setattr(firewall.shutil, "which", lambda *_, **__: found)
    with Firewall(Options(tmp_path)) as made:
        made.close()
        made.look()
        assert not made.is_closed


TRIAL = """
import socket, subprocess, sys, time
from pathlib import Path
from orthanc_plugin.stack import firewall
from orthanc_plugin.stack.options import CallingAE, Options

def run(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout

# Machines are networks of their own, each at an end of a cable.
run("ip", "link", "set", "lo", "up")
others = []
for number in (1, 2):
    other = subprocess.Popen(["unshare", "--net", "sleep", "60"])
    others.append(other)
    while Path(f"/proc/{other.pid}/ns/net").readlink() == Path("/proc/self/ns/net").readlink():
        pass
    run("ip", "link", "add", f"here{number}", "type", "veth", "peer", "name", "there")
    run("ip", "link", "set", "there", "netns", str(other.pid))
    run("ip", "addr", "add", f"192.0.2.{number * 16 + 1}/28", "dev", f"here{number}")
    run("ip", "link", "set", f"here{number}", "up")
    into = ["nsenter", "-t", str(other.pid), "-n"]
    run(*into, "ip", "addr", "add", f"192.0.2.{number * 16 + 2}/28", "dev", "there")
    run(*into, "ip", "link", "set", "there", "up")
servers = [socket.create_server(("0.0.0.0", port)) for port in (8042, 4242, 3000)]

def reached(number):
    # Ports that answer to a machine; 0 is this one.
    address = f"192.0.2.{(number or 1) * 16 + 1}"
    code = (
        "import socket\\n"
        "for port in (8042, 4242, 3000):\\n"
        "    with socket.socket() as one:\\n"
        f"        print(port * (one.connect_ex(('{address}', port)) == 0))"
    )
    where = ["nsenter", "-t", str(others[number - 1].pid), "-n"] if number else []
    return [int(port) for port in run(*where, sys.executable, "-c", code).split() if int(port)]

def tables():
    return run("nft", "list", "tables").split("\\n")[:-1]

options = Options(Path("/data"), calling_aes=(CallingAE("CT1", "192.0.2.18"),))
assert [reached(n) for n in range(3)] == [[8042, 4242, 3000]] * 3
with firewall.Firewall(options) as made:
    made.close()
    assert made.is_closed and made.open_ports((1, 10, 1)) == ()
    assert [reached(n) for n in range(3)] == [[8042, 4242, 3000], [4242, 3000], [3000]]
    run("nft", "flush", "ruleset")
    assert reached(2) == [3000], "nobody else can take it away"
    made._owner.kill()
    made._owner.wait()
    made.look()
    assert reached(2) == [3000], "put there again"
assert tables() == []
code = "import sys, time; from pathlib import Path; from orthanc_plugin.stack import firewall, options"
code += "; made = firewall.Firewall(options.Options(Path('/data'))); made.close()"
code += "; print(made.is_closed, flush=True); time.sleep(60)"
killed = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
assert killed.stdout.readline() == "True\\n" and reached(2) == [3000]
killed.kill()
killed.wait()
end = time.monotonic() + 30
while tables() and time.monotonic() < end:
    pass
assert tables() == [], "of one that was killed nothing is left"
for other in others:
    other.kill()
print("done")
"""


@pytest.mark.skipif(not a_network_may_be_made(), reason="needs root, nftables and a network of its own")
def test_other_machines_come_to_the_front_door_alone() -> None:
    command = ["unshare", "--net", sys.executable, "-c", TRIAL]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("done\n", 0), done.stderr
