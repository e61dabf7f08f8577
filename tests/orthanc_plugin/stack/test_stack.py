"""The stack's options, credentials and generated configurations, without starting anything."""

import json
import re
import socket
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from places import ROOT
from stack_process import free_ports

from headct.errors import SettingsError
from orthanc_plugin.settings import from_orthanc
from orthanc_plugin.stack import nginx, orthanc
from orthanc_plugin.stack.credentials import Credentials, load_or_create, make_private, without_secrets
from orthanc_plugin.stack.firewall import Firewall
from orthanc_plugin.stack.logs import Limits, Rotation
from orthanc_plugin.stack.options import CallingAE, Options, port_is_free
from orthanc_plugin.stack.room import Room
from orthanc_plugin.stack.running import Stack
from orthanc_plugin.stack.up import describe

LOGIN = Credentials("someone", "secret")


def options(data: Path, **changes: object) -> Options:
    http, dicom, ohif = free_ports(3)
    return Options(**{"data": data, "http_port": http, "dicom_port": dicom, "ohif_port": ohif, **changes})


class TestOptions:
    def test_free_ports_on_loopback_pass(self, tmp_path: Path) -> None:
        options(tmp_path).check()

    @pytest.mark.parametrize("zone", ["", "Asia/Tokyo", ":Europe/Berlin", "UTC", "JST-9", "<+0330>-3:30"])
    def test_time_zones_that_the_machine_knows_pass(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str
    ) -> None:
        if "/" in zone and not Path("/usr/share/zoneinfo").is_dir():
            pytest.skip("this machine has no time zones")
        monkeypatch.setenv("TZ", zone)
        options(tmp_path).check()

    @pytest.mark.parametrize("zone", ["Asia/Tokio", "Tokyo", "Asia", "+9"])
    def test_one_that_would_silently_be_utc_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str
    ) -> None:
        monkeypatch.setenv("TZ", zone)
        with pytest.raises(SettingsError, match="time zone"):
            options(tmp_path).check()

    def test_the_container_must_be_told_its_zone_and_knows_them_all(self) -> None:
        assert "TZ: ${TZ:?" in (ROOT / "docker-compose.yml").read_text()
        assert " tzdata " in (ROOT / "docker" / "Dockerfile").read_text()

    @pytest.mark.parametrize("name", ["http_port", "dicom_port", "ohif_port"])
    @pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
    def test_a_port_in_use_is_named(self, tmp_path: Path, name: str, address: str) -> None:
        (port,) = free_ports(1)
        with socket.socket() as other:
            other.bind((address, port))
            other.listen()
            with pytest.raises(SettingsError, match=rf"port {port} is in use"):
                options(tmp_path, **{name: port}).check_ports()
        assert port_is_free(port)

    def test_three_different_ports(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match="different"):
            Options(tmp_path, http_port=7001, dicom_port=7001, ohif_port=7002).check()

    def test_other_machines_only_with_named_scanners(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match="--calling-ae"):
            options(tmp_path, listen="0.0.0.0").check()
        options(tmp_path, listen="0.0.0.0", calling_aes=(CallingAE("CT1", "192.0.2.10"),)).check()

    def test_listen_is_an_address(self, tmp_path: Path) -> None:
        for text in ("everywhere", "::1", ""):
            with pytest.raises(SettingsError, match="not an IPv4 address"):
                options(tmp_path, listen=text).check()

    @pytest.mark.parametrize(("listen", "host"), [("127.0.0.1", "127.0.0.1"), ("192.0.2.7", "192.0.2.7")])
    def test_printed_address(self, tmp_path: Path, listen: str, host: str) -> None:
        port = 7 if listen == "127.0.0.1" else 8  # other machines come by the front door
        made = options(tmp_path, listen=listen, http_port=7, ohif_port=8)
        assert made.page_url == f"http://{host}:{port}/triage/"

    def test_listening_everywhere_an_address_one_can_open_is_printed(self, tmp_path: Path) -> None:
        host = options(tmp_path, listen="0.0.0.0").shown_host
        with socket.socket() as own:
            own.bind((host, 0))

    def test_calling_ae(self) -> None:
        assert CallingAE.parse("CT_1@192.0.2.10") == CallingAE("CT_1", "192.0.2.10")

    @pytest.mark.parametrize("text", ["CT1", "@192.0.2.1", "CT1@", "CT1@scanner", "A" * 17 + "@192.0.2.1"])
    def test_bad_calling_ae(self, text: str) -> None:
        with pytest.raises(SettingsError):
            CallingAE.parse(text)

    @given(st.text(max_size=40))
    def test_any_text_is_a_calling_ae_or_a_settings_error(self, text: str) -> None:
        try:
            parsed = CallingAE.parse(text)
        except SettingsError:
            return
        assert f"{parsed.title}@{parsed.host}" == text


class TestCredentials:
    def test_made_once_private_and_random(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("HEADCT_USER", raising=False)
        monkeypatch.delenv("HEADCT_PASSWORD", raising=False)
        first = load_or_create(tmp_path)
        assert load_or_create(tmp_path) == first
        assert stat.S_IMODE((tmp_path / "credentials").stat().st_mode) == 0o600
        other = tmp_path / "other"
        other.mkdir()
        assert load_or_create(other).password != first.password
        assert len(first.password) >= 16

    def test_shown_when_it_is_made_and_never_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("HEADCT_PASSWORD", raising=False)
        made = load_or_create(tmp_path)
        chosen = options(tmp_path)
        logs, room, firewall = Rotation([], Limits()), Room(chosen), Firewall(chosen)
        stack = Stack(chosen, made, (), logs, room, firewall, ())
        assert made.password in describe(stack)
        again = replace(stack, credentials=load_or_create(tmp_path))
        assert made.password not in describe(again)
        assert str(tmp_path / "credentials") in describe(again)
        assert made.password not in repr(made)

    def test_no_child_inherits_it(self) -> None:
        environment = {"HEADCT_USER": "ward", "HEADCT_PASSWORD": "secret", "TZ": "Asia/Tokyo"}
        assert without_secrets(environment) == {"TZ": "Asia/Tokyo"}

    @pytest.mark.parametrize("mode", [0o755, 0o750, 0o701, 0o700])
    def test_others_cannot_look_into_the_data_folder(self, tmp_path: Path, mode: int) -> None:
        (tmp_path / "data").mkdir()
        (tmp_path / "data").chmod(mode)
        make_private(tmp_path / "data")
        assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700

    def test_one_that_cannot_be_closed_to_them_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tmp_path.chmod(0o755)
        monkeypatch.setattr(Path, "chmod", lambda *_: None)  # as on a disk without permissions
        with pytest.raises(SettingsError, match="0755"):
            make_private(tmp_path)

    def test_environment_overrides_and_is_kept(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HEADCT_USER", "ward")
        monkeypatch.setenv("HEADCT_PASSWORD", "pass: word")
        chosen = load_or_create(tmp_path)
        assert chosen == Credentials("ward", "pass: word")
        assert not chosen.made, "whoever chose it knows it; a container's log is kept"
        monkeypatch.delenv("HEADCT_USER")
        monkeypatch.delenv("HEADCT_PASSWORD")
        assert load_or_create(tmp_path) == Credentials("ward", "pass: word")

    @pytest.mark.parametrize(("user", "password"), [("", "x"), ("a", ""), ("a:b", "x"), ("a", "x\ny")])
    def test_unusable_overrides(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: str, password: str
    ) -> None:
        monkeypatch.setenv("HEADCT_USER", user)
        monkeypatch.setenv("HEADCT_PASSWORD", password)
        with pytest.raises(SettingsError):
            load_or_create(tmp_path)
        assert not (tmp_path / "credentials").exists()

    def test_a_spoilt_file_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "credentials").write_text("nonsense\n")
        with pytest.raises(SettingsError, match="credentials"):
            load_or_create(tmp_path)


class TestOrthancConfiguration:
    def test_loopback_accepts_any_ae_of_this_machine_and_no_other(self, tmp_path: Path) -> None:
        made = orthanc.configuration(options(tmp_path), LOGIN)
        assert made["RemoteAccessAllowed"] is False
        assert made["HttpBindAddresses"] == ["127.0.0.1"]
        assert made["AuthenticationEnabled"] is True
        assert made["RegisteredUsers"] == {"someone": "secret"}
        assert made["DicomAlwaysAllowStore"] is True
        assert made["LuaScripts"]
        assert made["UserMetadata"] == {"HeadCTUrgency": 8310}

    def test_named_senders_only(self, tmp_path: Path) -> None:
        made = orthanc.configuration(
            options(tmp_path, listen="0.0.0.0", calling_aes=(CallingAE("CT1", "192.0.2.10"),)), LOGIN
        )
        assert made["DicomAlwaysAllowStore"] is False
        assert made["DicomCheckModalityHost"] is True
        (sender,) = made["DicomModalities"].values()
        assert (sender["AET"], sender["Host"]) == ("CT1", "192.0.2.10")
        assert not sender["AllowFind"]
        assert not sender["AllowMove"]

    @pytest.mark.parametrize("listen", ["0.0.0.0", "192.0.2.7", "127.0.0.1"])
    def test_other_machines_never_come_to_orthanc_itself(self, tmp_path: Path, listen: str) -> None:
        chosen = options(tmp_path, listen=listen, calling_aes=(CallingAE("CT1", "192.0.2.10"),))
        made = orthanc.configuration(chosen, LOGIN)
        assert made["HttpBindAddresses"] == ["127.0.0.1"]
        assert made["RemoteAccessAllowed"] is False

    def test_local_options_are_laid_over(self, tmp_path: Path) -> None:
        local = {"HeadCTTriage": {"Workers": 2}, "StableAge": 30}
        (tmp_path / "orthanc.local.json").write_text(json.dumps(local))
        made = orthanc.configuration(options(tmp_path), LOGIN)
        assert made["StableAge"] == 30
        assert made["HeadCTTriage"]["Workers"] == 2
        assert made["HeadCTTriage"]["OhifUrl"].endswith("viewer?StudyInstanceUIDs=")

    @pytest.mark.parametrize("asked", [False, True])
    def test_regions_are_drawn_only_where_asked_for(self, tmp_path: Path, asked: bool) -> None:
        assert not options(tmp_path).annotations
        made = orthanc.configuration(options(tmp_path, annotations=asked), LOGIN)
        assert from_orthanc(made).annotations is asked

    @pytest.mark.parametrize("asked", [False, True])
    def test_the_model_for_research_only_where_asked_for(self, tmp_path: Path, asked: bool) -> None:
        assert not options(tmp_path).research
        made = orthanc.configuration(options(tmp_path, research=asked), LOGIN)
        assert from_orthanc(made).research is asked

    @pytest.mark.parametrize("local", [{"AuthenticationEnabled": False}, {"RegisteredUsers": None}])
    def test_no_listening_without_authentication(self, tmp_path: Path, local: dict[str, object]) -> None:
        (tmp_path / "orthanc.local.json").write_text(json.dumps(local))
        chosen = options(tmp_path, listen="0.0.0.0", calling_aes=(CallingAE("CT1", "192.0.2.10"),))
        with pytest.raises(SettingsError, match="AuthenticationEnabled"):
            orthanc.configuration(chosen, LOGIN)

    @pytest.mark.parametrize("text", ["{", "[]", "\x00"])
    def test_unreadable_local_options(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "orthanc.local.json").write_text(text)
        with pytest.raises(SettingsError, match=r"orthanc\.local\.json"):
            orthanc.configuration(options(tmp_path), LOGIN)


@pytest.mark.browser_files
class TestNginxConfiguration:
    def test_listens_where_told_and_hands_on_to_orthanc(self, tmp_path: Path) -> None:
        chosen = options(tmp_path)
        text = nginx.write_configuration(chosen, tmp_path / "nginx", tmp_path).read_text()
        assert f"listen 127.0.0.1:{chosen.ohif_port};" in text
        assert f"proxy_pass http://127.0.0.1:{chosen.http_port};" in text
        assert "X-Forwarded-For" not in text, "nobody says for another who asks"
        config = (tmp_path / "nginx" / "app-config.js").read_text()
        json.loads(config.removeprefix("window.config = ").removesuffix(";\n"))

    @pytest.mark.parametrize(
        ("listen", "addresses"),
        [("0.0.0.0", ["0.0.0.0"]), ("192.0.2.7", ["127.0.0.1", "192.0.2.7"]), ("127.0.0.1", ["127.0.0.1"])],
    )
    def test_the_door_is_open_where_told_and_to_this_machine(
        self, tmp_path: Path, listen: str, addresses: list[str]
    ) -> None:
        chosen = options(tmp_path, listen=listen)
        text = nginx.write_configuration(chosen, tmp_path / "nginx", tmp_path).read_text()
        assert re.findall(r"listen (\S+);", text) == [f"{one}:{chosen.ohif_port}" for one in addresses]

    def test_nginx_takes_it(self, tmp_path: Path) -> None:
        chosen = options(tmp_path)
        path = nginx.write_configuration(chosen, tmp_path / "nginx", tmp_path, behind_proxy=True)
        assert "set_real_ip_from 127.0.0.1;" in path.read_text()
        command = [nginx.find_executable(), "-t", "-p", path.parent, "-c", path, "-e", tmp_path / "log"]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def test_every_route_of_orthanc_is_behind_it(self, tmp_path: Path) -> None:
        described = tmp_path / "openapi.json"
        subprocess.run([orthanc.find_executable(), f"--openapi={described}"], capture_output=True, check=True)
        roots = {path.split("/")[1] for path in json.loads(described.read_text())["paths"]}
        assert roots <= set(nginx.ROUTES.split("|"))
