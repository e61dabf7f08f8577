"""The Japanese of the module for 3D Slicer: finds its sentences, updates the .ts file, makes the .qm file.

Run after any sentence was added or changed; what is new is marked unfinished in ``HeadCTTriage_ja.ts``.
Translate it there (Qt Linguist or an editor) and run this again. Contexts are those under which Slicer looks
sentences up: ``slicer.i18n.tr`` and the module go by file, a ``.ui`` file by its class.
"""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import PySide6

MODULE = Path(__file__).resolve().parents[1] / "slicer_module" / "HeadCTTriage"
TRANSLATION = MODULE / "Resources" / "Translations" / "HeadCTTriage_ja.ts"


def sentences() -> dict[str, list[str]]:
    """All sentences of the module by context, each once, in the order of the files."""
    found: dict[str, dict[str, None]] = {}
    scripts = [MODULE / "HeadCTTriage.py", *sorted((MODULE / "HeadCTTriageLib").rglob("*.py"))]
    pairs = [pair for script in scripts for pair in _of_script(script)]
    for context, text in [*pairs, *_of_ui(MODULE / "Resources" / "UI" / "HeadCTTriage.ui")]:
        found.setdefault(context, {})[text] = None
    return {context: list(texts) for context, texts in found.items()}


def translations(file: Path = TRANSLATION) -> dict[tuple[str, str], str]:
    """What the .ts file says, of each context and sentence; only what is finished."""
    return {
        (context.findtext("name", ""), message.findtext("source", "")): translation.text or ""
        for context in ElementTree.parse(file).iter("context")
        for message in context.iter("message")
        if (translation := message.find("translation")) is not None and translation.get("type") is None
    }


def update() -> int:
    """Write both files; how many sentences are not translated yet."""
    known = translations() if TRANSLATION.exists() else {}
    root = ElementTree.Element("TS", version="2.1", language="ja")
    for context, texts in sentences().items():
        node = ElementTree.SubElement(root, "context")
        ElementTree.SubElement(node, "name").text = context
        for text in texts:
            message = ElementTree.SubElement(node, "message")
            ElementTree.SubElement(message, "source").text = text
            translation = ElementTree.SubElement(message, "translation")
            translation.text = known.get((context, text), "")
            if not translation.text:
                translation.set("type", "unfinished")
    ElementTree.indent(root)
    body = ElementTree.tostring(root, "unicode")
    TRANSLATION.write_text(f'<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE TS>\n{body}\n', "utf-8")
    release(TRANSLATION.with_suffix(".qm"))
    return sum(len(texts) for texts in sentences().values()) - len(translations())


def release(qm: Path) -> None:
    """Compile the .ts file with Qt's own tool."""
    tool = Path(PySide6.__file__).parent / "lrelease"
    subprocess.run([tool, "-silent", TRANSLATION, "-qm", qm], check=True, stdin=subprocess.DEVNULL)


def _of_script(script: Path) -> Iterator[tuple[str, str]]:
    context = ".".join(script.relative_to(MODULE).with_suffix("").parts)
    for node in ast.walk(ast.parse(script.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id == "_":
                yield context, ast.literal_eval(node.args[0])
            elif node.func.id == "translate":
                yield ast.literal_eval(node.args[0]), ast.literal_eval(node.args[1])


def _of_ui(file: Path) -> Iterator[tuple[str, str]]:
    tree = ElementTree.parse(file)
    context = tree.getroot().findtext("class", "")
    for string in tree.iter("string"):
        if string.text and string.get("notr") != "true":
            yield context, string.text


if __name__ == "__main__":
    print(f"{update()} sentences are not translated")
