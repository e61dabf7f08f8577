"""What must hold after a night: nothing lost, nothing doubled, nothing un-said, nobody dead of himself."""

import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
from stack_process import FINAL, StackProcess, wait_until

from headct.reports.labels import find_reports, rebuild
from headct.reports.seals import KEY_FILE
from headct.reports.vouching import Vouching
from night.plan import twice
from night.work import Said
from orthanc_plugin.states import WorkerExit
from orthanc_plugin.worker.orthanc_client import METADATA

SETTLE_SECONDS = 1800
_TIMES = ("reviewed_at",)
"""Left out where labels are compared: reports keep what a wrong clock showed, the store was put right."""


def soon_known(stack: StackProcess, accepted: Sequence[str], seconds: float = 180) -> list[str]:
    """Series that were taken and that nobody knows of, or that are in more than one case."""
    found: Counter[str] = Counter()

    def known() -> bool:
        found.clear()
        found.update(s["series_instance_uid"] for row in stack.rows() for s in row["series"])
        return all(found[uid] for uid in accepted)

    try:
        wait_until(known, seconds, lambda: "")
    except AssertionError:
        return [f"lost: series {uid}" for uid in accepted if not found[uid]]
    return [f"in {found[uid]} cases: series {uid}" for uid in accepted if found[uid] != 1]


def unsaid(stack: StackProcess, accepted: Sequence[Said], *, go_on: bool = False) -> list[str]:
    """Reviews that were taken and do not count, or that are there more than once.

    Args:
        stack: that took them.
        accepted: in their order.
        go_on: others may have come since.
    """
    given: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for one in accepted:
        given[one.series_id].append((one.login, one.urgency))
    wrong = []
    for series_id, wanted in given.items():
        view = stack.api(f"series/{series_id}")
        kept = [(r["login"], r["urgency"]) for r in view["reviews"]]
        if (kept[: len(wanted)] if go_on else kept) != wanted:
            wrong.append(f"series {series_id}: reviews {kept}, taken were {wanted}")
        if view["verdict"]["standing"] == "unreviewed":
            wrong.append(f"series {series_id}: its reviews do not count")
    return wrong


def settle(stack: StackProcess) -> list[str]:
    """Wait until all is judged and all documents are in Orthanc; what is not by then."""
    open_: list[str] = []

    def settled() -> bool:
        series = stack.series().values()
        open_[:] = [f"series {s['id']} is {s['state']}" for s in series if s["state"] not in FINAL]
        for one in series if not open_ else ():
            view = stack.api(f"series/{one['id']}")
            documents = view["documents"]
            written = sum(d["kind"] == "review" for d in documents)
            if written < len(view["reviews"]):
                open_.append(f"{written} reports of {len(view['reviews'])} reviews of series {one['id']}")
            open_.extend(
                f"{d['kind']} of series {one['id']} is not in Orthanc"
                for d in documents
                if not d["published_at"] and not d["withdrawn"]
            )
        return not open_

    try:
        wait_until(settled, SETTLE_SECONDS, lambda: "", pause=2)
    except AssertionError:
        return [f"not settled: {one}" for one in open_]
    return []


def in_the_end(
    stack: StackProcess,
    heads: Sequence[str],
    reviews: Sequence[Said],
    killed: Counter[str],
    died_of_nesting: int,
) -> Iterator[str]:
    """All that is wrong once everything has settled."""
    yield from settle(stack)
    yield from soon_known(stack, heads)
    yield from unsaid(stack, reviews)
    states = {uid: s["state"] for uid, s in stack.series().items()}
    yield from (
        f"failed: series {uid}" for uid in heads if states.get(uid) not in {"assessed", "not_analysed"}
    )
    yield from _documents(stack, Counter(one.series_id for one in reviews))
    yield from _labels(stack)
    yield from _deaths(stack, killed, died_of_nesting)
    yield from _mistakes(stack)


def _documents(stack: StackProcess, reviews: Counter[str]) -> Iterator[str]:
    """Orthanc has what the store says that it has, each once; of each series what it is to have."""
    wanted: list[str] = []
    verified = _in_orthanc(stack)
    for series in stack.series().values():
        view = stack.api(f"series/{series['id']}")
        standing = [d for d in view["documents"] if not d["withdrawn"]]
        wanted += [d["sop_instance_uid"] for d in standing]
        kinds = Counter(d["kind"] for d in standing)
        if kinds["review"] != reviews[series["id"]]:
            yield f"series {series['id']}: {kinds['review']} reports of {reviews[series['id']]} reviews"
        replaced = {d["predecessor_uid"] for d in standing}
        current = Counter(d["kind"] for d in standing if d["sop_instance_uid"] not in replaced)
        machines = current["structured_report"] if not kinds["review"] else 1
        if series["state"] == "assessed" and machines != 1:
            yield f"series {series['id']}: {machines} current reports"
        for document in standing:
            flags = verified.get(document["sop_instance_uid"], [])
            if document["kind"] == "review" and flags != ["VERIFIED"]:
                yield f"series {series['id']}: report of a review is in Orthanc as {flags}"
        if kinds["review"]:
            shown = stack.http.get(f"/series/{series['id']}/metadata/{METADATA}").text
            if shown != f"triage-{view['verdict']['urgency'].lower()}":
                yield f"series {series['id']}: {shown} in Orthanc, {view['verdict']['urgency']} was said"
    there = [uid for uid, flags in verified.items() for _ in flags]
    yield from (f"doubled: document {uid}" for uid in twice(there))
    yield from (f"lost: document {uid}" for uid in sorted(set(wanted) - set(there)))
    yield from (f"nobody's: document {uid}" for uid in sorted(set(there) - set(wanted)))


def _in_orthanc(stack: StackProcess) -> dict[str, list[str]]:
    """Verification flags of our documents, by SOP instance UID; one for each time that Orthanc has it."""
    found: dict[str, list[str]] = defaultdict(list)
    for modality in ("SR", "KO"):
        for instance in stack.documents(modality):
            document = pydicom.dcmread(BytesIO(stack.file(instance)))
            found[str(document.SOPInstanceUID)].append(str(document.get("VerificationFlag", "")))
    return found


def _labels(stack: StackProcess) -> Iterator[str]:
    """What the store says that persons said can be made of Orthanc's reports alone."""
    with tempfile.TemporaryDirectory() as name:
        for number, instance in enumerate(stack.documents("SR")):
            (Path(name) / f"{number}.dcm").write_bytes(stack.file(instance))
        found = find_reports(Path(name), Vouching.of(stack.data / "secrets" / KEY_FILE))
    yield from (f"a report is doubted: {one.why}" for one in found.doubtful)
    rebuilt = {str(row["series_instance_uid"]): row for row in (x.to_json() for x in rebuild(found.reports))}
    stored = {str(row["series_instance_uid"]): row for row in _stored(stack)}
    for uid in sorted(rebuilt.keys() | stored.keys()):
        one, other = rebuilt.get(uid), stored.get(uid)
        if one is None or other is None or any(one[k] != other[k] for k in one.keys() - set(_TIMES)):
            yield f"series {uid}: reports say {one}, the store says {other}"


def _stored(stack: StackProcess) -> Iterator[dict[str, Any]]:
    part = stack.api("labels")
    yield from part["labels"]
    while part["next"] is not None:
        part = stack.api(f"labels?after={part['next']}")
        yield from part["labels"]


def _deaths(stack: StackProcess, killed: Counter[str], died_of_nesting: int) -> Iterator[str]:
    """Ends in the logs that nobody caused; on a full disk a line may be missing, none is there too many."""
    logs = stack.data / "logs"

    def ends(name: str, pattern: str) -> list[str]:
        text = "\n".join(path.read_text(errors="replace") for path in sorted(logs.glob(f"{name}*")))
        return re.findall(pattern, text)

    for program in ("Orthanc", "nginx"):
        statuses = Counter(ends("up.log", rf"{program} ended unexpectedly \(status (-?\d+)"))
        by_kill = statuses.pop("-9", 0)
        if program == "Orthanc" and sum(statuses.values()) <= died_of_nesting:
            statuses.clear()
        if statuses or by_kill > killed[program]:
            yield f"{program} ended by itself: {dict(statuses)}, {by_kill} by kill -9 of {killed[program]}"
    statuses = Counter(ends("orthanc.log", r"\S+/\w{12} ended with status (-?\d+)"))
    by_kill = statuses.pop("-9", 0)
    for status in WorkerExit:
        statuses.pop(str(int(status)), 0)
    if statuses or by_kill > killed["a worker"]:
        yield f"workers ended by themselves: {dict(statuses)}, {by_kill} by kill -9 of {killed['a worker']}"


def _mistakes(stack: StackProcess) -> Iterator[str]:
    """Errors in the logs that no disk, clock or file may cause."""
    text = "\n".join(path.read_text(errors="replace") for path in (stack.data / "logs").glob("orthanc.log*"))
    found = re.findall(r"\S+: (?:Type|Attribute|Key|Index|Name|Assertion|Recursion)Error\b.*", text)
    yield from (f"{count} times in the log: {line}" for line, count in Counter(found).items())
