"""The gate's verdict in words: Markdown, read on a terminal as well."""

from collections.abc import Iterator

from model_training.gate.endpoints import EXACT_UP_TO, HARMS, Endpoint
from model_training.gate.gate import Verdict
from model_training.gate.paired import Settled


def report(verdict: Verdict) -> str:
    """Markdown text: the verdict first, then what it rests on, then what it could not see."""
    parts = (_opening, _checks, _endpoints, _power)
    return "\n\n".join("\n".join(part(verdict)) for part in parts) + "\n"


def _opening(v: Verdict) -> Iterator[str]:
    old, new = v.in_service.identity, v.candidate.identity
    yield f"# Gate: {headline(v)}"
    yield ""
    yield f"Candidate {new.name} {new.version} against {old.name} {old.version} in service."
    yield ""
    for reason in v.reasons:
        yield f"- Stopped: {reason}."
    for name in v.untold:
        yield f"- Cannot tell: {name}."
    bleeding = sum(c.patient.bleeding for c in v.cases)
    yield ""
    yield (
        f"{len(v.cases)} patients neither was trained on, {bleeding} of them bleeding; data"
        f" {v.manifest_sha256[:12]}. Each judged by both bundles, each at its own thresholds. Trained on"
        " means the network: in thresholds and calibrations, chosen on scores of other networks, these"
        " patients may have had a part."
    )
    for why, count in v.selection.left_out.items():
        yield f"Left out: {count} patients, as {why}."
    if v.provisional:
        yield (
            f"Colours of {v.provisional} patients are provisional: the rubric over true masks. Alerts and"
            " colours there are agreement with the rubric, not with a specialist."
        )


def _checks(v: Verdict) -> Iterator[str]:
    yield "## Checks"
    yield ""
    for check in v.checks:
        yield f"- {check.name}: {'passed' if check.passed else 'FAILED'}; {check.words}."


def _endpoints(v: Verdict) -> Iterator[str]:
    yield "## Endpoints"
    yield ""
    level = f"{100 * v.rules.confidence:g} % interval"
    yield _cells(
        "endpoint",
        "patients",
        "in service",
        "candidate",
        f"difference ({level})",
        "margin",
        "says",
        "if unsure",
    )
    yield "|---" * 8 + "|"
    yield from (_row(e) for e in v.endpoints)
    yield ""
    yield (
        "Differences and margins in points. Shares: score interval of Tango (1998). Areas: DeLong (1988),"
        " never narrower than so few patients allow."
    )


def _power(v: Verdict) -> Iterator[str]:
    yield "## Power"
    yield ""
    yield (
        "Probability that each endpoint, with the rule for the unsure, stops a candidate that is truly worse"
        " by so many points; under 'equal', one that is as good. Last, the smallest harm it stops with a"
        " probability of 80 %."
    )
    yield ""
    yield _cells("endpoint", "equal", "margin", *(f"{100 * h:.0f}" for h in HARMS), "smallest harm seen")
    yield "|---" * (4 + len(HARMS)) + "|"
    yield from (_power_row(e) for e in v.endpoints)
    yield ""
    low, high = v.equal_stopped
    yield (
        f"{len(v.endpoints)} endpoints, none corrected for their number: every one has to pass, so their"
        " number never helps a worse candidate. It hurts an equally good one, which is stopped by any of them"
        f" with a probability between {_percent(low)} and {_percent(high)}. Assumed for power: an equally"
        f" good candidate gets {_percent(v.rules.churn)} of the patients newly right and as many newly wrong;"
        f" scores of the two bundles correlate by {v.rules.correlation:g}. Exact for shares of up to"
        f" {EXACT_UP_TO} patients, simulated otherwise (seed {v.seed})."
    )


def headline(verdict: Verdict) -> str:
    """The verdict in a line."""
    if not verdict.passed:
        return "STOPPED"
    return f"PASS, but cannot tell on {len(verdict.untold)} endpoints" if verdict.untold else "PASS"


def _row(e: Endpoint) -> str:
    old, new = e.values
    d = e.difference
    seen = "" if old is None else f"{100 * d.value:+.0f} ({100 * d.low:+.0f} to {100 * d.high:+.0f})"
    says = f"**{e.settled}: stopped**" if e.stops else str(e.settled)
    if e.settled is Settled.CANNOT_TELL and old is None:
        says += ", no patients" if not e.patients else ", not both kinds of patients"
    margin = f"{100 * e.margin.margin:.0f}"
    return _cells(
        e.name, str(e.patients), _figure(old), _figure(new), seen, margin, says, str(e.margin.when_unsure)
    )


def _power_row(e: Endpoint) -> str:
    harms = [_percent(power) for power in e.stated_power.values()]
    smallest = "none" if e.smallest_harm is None else f"{100 * e.smallest_harm:.0f} points"
    return _cells(e.name, *harms, smallest)


def _cells(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _percent(value: float | None) -> str:
    if value is None:
        return ""
    return f"{100 * value:.0f} %" if 0.01 <= value <= 0.99 or value in (0, 1) else f"{100 * value:.1f} %"
