"""What is said while triage cannot start: in the language of who asks, on the page and by REST."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from japanese import Page, english

ROOT = Path(__file__).resolve().parents[2]
STOPPED = """
import json, runpy, sys, types
orthanc = types.ModuleType("orthanc")
orthanc.LogError = orthanc.LogWarning = orthanc.LogInfo = lambda _: None
orthanc.ChangeType = types.SimpleNamespace(
    NEW_INSTANCE=1, NEW_SERIES=2, UPDATED_METADATA=3, ORTHANC_STARTED=4, ORTHANC_STOPPED=5, DELETED=6
)
orthanc.ResourceType = types.SimpleNamespace(SERIES=1, INSTANCE=2)
orthanc.OrthancException = OSError
orthanc.RegisterRestCallback = orthanc.RegisterOnChangeCallback = lambda *_: None
orthanc.RegisterIncomingHttpRequestFilter = lambda _: None
orthanc.GetConfiguration = lambda: "{}"
sys.modules["orthanc"] = orthanc
plugin = runpy.run_path(sys.argv[1])
if sys.argv[2] == "bare":
    sys.modules["headct.language"] = None


class Output:
    def __init__(self):
        self.said = ""

    def SetHttpHeader(self, name, value):
        pass

    def AnswerBuffer(self, body, mime):
        self.said = body.decode()

    def SendHttpStatus(self, status, body):
        self.said = json.loads(body)["message"]


def describe(error):
    plugin["triage"].problem = plugin["describe"](error)
    return asked()


def asked():
    found = {}
    for language, headers in (
        ("en", {}),
        ("ja", {"accept-language": "ja-JP,ja;q=0.9,en;q=0.8"}),
        ("cookie", {"accept-language": "en", "cookie": "a=b; headct_language=ja"}),
    ):
        found[language] = []
        for address in ("/triage/", "/triage/api/v1/status"):
            output = Output()
            plugin["on_request"](output, address, method="GET", headers=headers)
            found[language].append(output.said)
    return found


def refused():
    from orthanc_plugin.settings import from_orthanc

    try:
        options = {"Workers": "many", "Unknown": 1, "Models": "relative", "QuietSeconds": 70}
        from_orthanc({"HeadCTTriage": options})
    except Exception as error:
        return error


class Ending:
    def stop(self):
        print(json.dumps([asked()]))


if sys.argv[2] == "ending":
    plugin["triage"]._stopping.set()
    plugin["triage"].start()
    plugin["triage"].runtime = Ending()
    plugin["triage"].stop()
    sys.exit()
errors = [NotADirectoryError(20, "Not a directory", "/x"), ModuleNotFoundError(name="flask"), KeyError("x")]
if sys.argv[2] != "bare":
    errors.append(refused())
print(json.dumps([describe(error) for error in errors]))
"""
"""A server without Orthanc that loads the plugin's script and asks it about one error after the other."""


def told(kind: str) -> list[dict[str, list[str]]]:
    script = ROOT / "orthanc_plugin" / "plugin.py"
    command = [sys.executable, "-c", STOPPED, str(script), kind]
    ended = subprocess.run(command, text=True, capture_output=True, check=True, cwd=ROOT)
    found: list[dict[str, list[str]]] = json.loads(ended.stdout)
    return found


def test_the_reason_in_the_language_of_who_asks() -> None:
    known = {"flask", "KeyError", "Workers", "Unknown", "QuietSeconds", "HeadCTTriage", "Models"}
    for said in told("whole"):
        page, message = said["en"]
        assert '<html lang="en">' in page and message.replace("'", "&#x27;") in page
        assert said["ja"] == said["cookie"]
        page, message = said["ja"]
        assert '<html lang="ja">' in page
        assert {text: found for text in [*Page(page).texts, message] if (found := english(text, known))} == {}


def test_while_it_ends_that_is_said() -> None:
    (said,) = told("ending")
    page, message = said["en"]
    assert message == "Triage is ending." and message in page


@pytest.mark.parametrize("number", range(3))
def test_in_english_where_even_the_catalogue_is_missing(number: int) -> None:
    said = told("bare")[number]
    assert said["en"][1] == said["ja"][1]
    assert ("Not a directory: /x", "The Python package flask is missing", "Unexpected KeyError.")[number] in (
        said["ja"][1]
    )
