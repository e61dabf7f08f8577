"""The open case in words, as the HTML that Qt's labels show."""

from __future__ import annotations

from html import escape

from .. import words
from ..server.cases import Assessment, Case, Finding, GivenReview, PreviousSeries, Series
from ..translation import _
from . import rows

FIGURES = ("volume_ml", "thickness_mm", "mean_hu", "offset_mm")
"""Of a finding, in the order of the table's columns."""


def figure_headings() -> list[str]:
    """Of the table of findings."""
    return [_("Finding"), _("ml"), _("mm thick"), _("mean HU"), _("offset mm"), _("slices")]


def figures(finding: Finding) -> list[str]:
    """A finding's row in the table; empty where nothing was measured."""
    values = [getattr(finding, name) for name in FIGURES]
    return [
        _kind(finding),
        # Rounded first: no "-0.0".
        *("" if value is None else f"{round(value, 1) + 0.0:.1f}" for value in values),
        _ranges(finding.slices),
    ]


def heading(case: Case, language: str) -> str:
    """Urgency and patient."""
    tone, sign = rows.signed(case, language)
    name, others = words.person_name(case.patient_name, language)
    facts = [
        case.patient_id,
        words.age(case.age),
        case.sex,
        _("born {date}").format(date=words.date(case.birth_date)) if case.birth_date else "",
        words.date(case.study_date),
        case.study_description,
    ]
    known = " · ".join(escape(fact) for fact in facts if fact)
    more = f" <small>{escape(others)}</small>" if others else ""
    return f"{_chip(tone, sign)}<br><b>{escape(name or _('(no name)'))}</b>{more}<br>{known}"


def findings(case: Case, series: Series, language: str) -> str:
    """What the machine says of a series, and what to be careful about."""
    assessment = series.assessment
    if assessment is None:
        why = series.reason.sentence.of(language) if series.reason else words.series_state(series)
        tone = series.state if series.state in rows.TONES else "pending"
        said = _("No machine result ({why}): read as usual.").format(why=why)
        return _chip(tone, said)
    sign = words.machine_sign(assessment.urgency, assessment.unsure)
    # Said above, where the series is what the case goes by.
    same = sign == rows.signed(case, language)[1]
    lines = [] if same else [_chip(assessment.urgency.value.lower(), sign)]
    if assessment.preliminary:
        lines.append(f"<b>{escape(_('Preliminary: series incomplete'))}</b>")
    lines += [f"<b>{escape(d.sentence.of(language))}</b>" for d in assessment.doubts]
    lines += [f"• {escape(f.sentence.of(language))}" for f in assessment.findings]
    if not any(f.kind != "midline_offset" for f in assessment.findings):
        lines.append(escape(_("Nothing flagged. This does not mean normal.")))
    lines += [f"<b>{escape(c.sentence.of(language))}</b>" for c in assessment.cautions]
    model = _("Judged by {model}.").format(model=f"{assessment.bundle.name} {assessment.bundle.version}")
    lines.append(f"<small>{escape(model)}</small>")
    lines.append(escape(f"{words.may_miss()} {words.notice()}"))
    return "<br>".join(lines)


def images(warnings: tuple[str, ...], left_out: int) -> str:
    """What the doctor should know of the images shown; plain text."""
    lines = list(warnings)
    if left_out:
        lines.append(_("{count} images of the series are not shown here.").format(count=left_out))
    return "\n".join(lines)


def details(assessment: Assessment) -> str:
    """Which model, and its bare figures."""
    bundle = assessment.bundle
    facts = [
        (_("Model"), f"{bundle.name} {bundle.version}"),
        (_("Digest"), bundle.digest),
        (_("Rubric"), assessment.rubric_version),
        (_("Rules that fired"), ", ".join(rule.replace("_", " ") for rule in assessment.rules)),
        (_("Alert probability"), f"{assessment.alert_probability:.2f}"),
        (_("Haemorrhage probability"), f"{assessment.haemorrhage_probability:.2f}"),
        (_("Judged"), words.moment(assessment.judged_at)),
        (_("Took"), _("{seconds} s").format(seconds=f"{assessment.seconds:.1f}")),
    ]
    lines = [f"{escape(what)}: {_breakable(escape(said))}" for what, said in facts if said]
    hint = _("The probabilities were calibrated on other patients; they are no threshold on their own.")
    return "<br>".join([*lines, escape(hint)])


def history(series: Series, language: str) -> str:
    """All that was said of a series, the oldest first."""
    machine = [*series.history, *([series.assessment] if series.assessment else [])]
    told = [(said.judged_at, _machine_said(said)) for said in machine]
    told += [(said.at, _person_said(said, language)) for said in series.reviews]
    lines = [line for _at, line in sorted(told, key=lambda one: one[0])]
    return "<br>".join([*lines, f"<b>{escape(words.standing(series))}</b>"])


def previous_title(series: PreviousSeries) -> str:
    """An earlier series as one chooses it from a list."""
    said = f": {words.colour(series.urgency)}" if series.urgency else ""
    name = " ".join(part for part in (series.number, series.description) if part)
    return f"{words.date(series.study_date)} {series.study_description}, {name} ({series.images}){said}"


def _machine_said(said: Assessment) -> str:
    line = f"{words.moment(said.judged_at)} {said.bundle.name} {said.bundle.version}: "
    line = escape(line) + f"<b>{escape(words.machine_sign(said.urgency, said.unsure))}</b>"
    if said.preliminary:
        line += ", " + escape(_("Preliminary: series incomplete"))
    if said.withdrawn_at:
        line += ", " + escape(_("superseded {time}").format(time=words.moment(said.withdrawn_at)))
    return line


def _person_said(said: GivenReview, language: str) -> str:
    who = ", ".join(part for part in (words.reader_name(said.reader, language), said.organisation) if part)
    lines = words.given_in_full(said)
    if said.machine and said.urgency and said.machine != said.urgency:
        lines.append(_("the machine said: {what}").format(what=words.machine_sign(said.machine)))
    line = f"{escape(words.moment(said.at))} {escape(who)}: <b>{escape(words.given(said))}</b>"
    return "; ".join([line, *map(escape, lines)])


def _kind(finding: Finding) -> str:
    kinds = {
        "haemorrhage": _("bleed"),
        "old_collection": _("old collection"),
        "intraventricular_blood": _("blood in the ventricles"),
        "midline_offset": _("midline"),
    }
    places = {"deep": _("deep"), "peripheral": _("near the skull")}
    kind = kinds.get(finding.kind, finding.kind.replace("_", " "))
    if not finding.location:
        return kind
    return _("{kind}, {place}").format(kind=kind, place=places.get(finding.location, finding.location))


def _chip(tone: str, text: str) -> str:
    ground, ink = rows.TONES[tone]
    return f'<span style="background-color:{ground}; color:{ink};">&nbsp;<b>{escape(text)}</b>&nbsp;</span>'


def _breakable(text: str) -> str:
    """A digest may be broken anywhere, else it makes the panel as wide as itself."""
    return text if " " in text else "&#8203;".join(text[at : at + 16] for at in range(0, len(text), 16))


def _ranges(numbers: tuple[int, ...]) -> str:
    """``3, 7-9`` for 3, 7, 8, 9."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(str(p[0]) if len(p) == 1 else f"{p[0]}-{p[-1]}" for p in parts)
