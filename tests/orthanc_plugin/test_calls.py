"""Which functions of Orthanc the script calls, and when."""

import ast

from places import ROOT

LOGGING = {"LogError", "LogInfo", "LogWarning"}
UNLOCKED = {"CheckVersionAdvanced", "GetConfiguration", "RestApiGet", "RestApiPut"} | LOGGING
"""Orthanc does these without the lock that it holds while it hands an image to the script. The others are for
the time before anything arrives: later, who holds Python's lock could wait for Orthanc's, and it for that."""


def called(tree: ast.AST) -> set[str]:
    found = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    names = {node.attr for node in found if isinstance(node.value, ast.Name) and node.value.id == "orthanc"}
    return {name for name in names if not name.endswith(("Type", "Action", "Exception"))}


def test_what_locks_orthanc_is_done_while_the_script_is_loaded() -> None:
    script = ast.parse((ROOT / "orthanc_plugin" / "plugin.py").read_text())
    later = [node for node in script.body if not (isinstance(node, ast.FunctionDef) and node.name == "load")]
    assert set().union(*map(called, later)) <= UNLOCKED
    assert "GenerateRestApiAuthorizationToken" in called(script)


def test_no_path_is_asked_for_which_orthanc_locks_itself() -> None:
    """Of Orthanc's own, ``/system`` and ``/plugins`` look at what plugins registered."""
    plugin = ROOT / "orthanc_plugin"
    texts = {
        node.value
        for file in (plugin / "plugin.py", *plugin.glob("intake/*.py"), *plugin.glob("recycling/*.py"))
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert any(text.startswith("/series") for text in texts)
    assert not [text for text in texts if text.startswith(("/system", "/plugins"))]
