"""The ``headct`` command: ``assess`` here, others by entry point, loaded only when asked for."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import click

from headct import __version__
from headct.errors import HeadCTError, UnusableInputError
from headct.terms.assessment import Outcome, State
from headct.terms.licence import Use
from headct.wording import (
    caution_words,
    doubt_words,
    findings_words,
    licence_words,
    notice,
    rule_words,
    state_words,
    unsure_words,
    urgency_words,
)

_EXTRAS = {"orthanc_plugin": "plugin", "model_training": "training"}
"""What has to be installed for the commands of other packages."""
UNUSABLE = 2
"""Exit status for input nothing can be done with."""


class _Unusable(click.ClickException):
    """One line on standard error, exit status 2."""

    exit_code = UNUSABLE

    def show(self, file: object = None) -> None:
        click.echo(f"headct: {self.format_message()}", err=True)


class _Commands(click.Group):
    """Own commands, and those that other packages register under ``headct.commands``.

    A package whose extra is not installed keeps its name in the list and says so when called; it never
    stops the other commands.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *_registered()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in _registered():
            return own
        entry = _registered()[cmd_name]
        try:
            command = entry.load()
        except ModuleNotFoundError as error:
            extra = _EXTRAS.get(entry.module.split(".")[0])
            if extra is None:
                return _unavailable(cmd_name, type(error).__name__, str(error))
            return _command_that_says(
                cmd_name, f"the command {cmd_name} needs more: pip install 'headct-triage[{extra}]'"
            )
        except Exception as error:  # whatever another package does when it is imported
            return _unavailable(cmd_name, type(error).__name__, str(error))
        return command if isinstance(command, click.Command) else None


def _registered() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group="headct.commands")}


def _unavailable(name: str, kind: str, message: str) -> click.Command:
    return _command_that_says(name, f"the command {name} cannot be loaded ({kind}: {message})")


def _command_that_says(name: str, why: str) -> click.Command:
    def say() -> None:
        raise _Unusable(why)

    return click.Command(
        name,
        callback=say,
        short_help="(not available: its extra is not installed)",
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="headct")
def main() -> None:
    """Triage of head CTs. For reference only; the physician makes the final judgement."""


@main.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON list on standard output, one object a series."
)
@click.option("--bundle", type=click.Path(path_type=Path), help="Model to use instead of the one that ships.")
@click.option("--research", is_flag=True, help="Use the model that ships for research only, where one does.")
@click.option(
    "--rubric", type=click.Path(path_type=Path), help="Rubric to use instead of the one that ships."
)
def assess(path: Path, as_json: bool, bundle: Path | None, research: bool, rubric: Path | None) -> None:
    """Judge every series in the folder PATH.

    Exit status 0 when every series was assessed or not analysed, 1 when one failed, 2 on unusable input. A
    model for research only is named on standard error with its licence.
    """
    if bundle and research:
        raise click.UsageError("--bundle names the model: it cannot go with --research")
    try:
        outcomes = _assess(path, bundle, rubric, research=research)
    except (HeadCTError, OSError) as error:
        raise _Unusable(" ".join(str(error).split())) from error
    if as_json:
        click.echo(json.dumps([outcome.to_json() for outcome in outcomes], ensure_ascii=False, indent=2))
    else:
        for outcome in outcomes:
            click.echo(_lines(outcome))
        click.echo(f"\n{notice()}")
    if any(outcome.state is State.FAILED for outcome in outcomes):
        sys.exit(1)


@main.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON list, as the REST interface gives labels.")
@click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="HEADCT_REPORT_KEY",
    show_envvar=True,
    help="File of keys of the installation that wrote the reports (reports.key), with its list of reviews"
    " beside it.",
)
@click.option(
    "--unverified", is_flag=True, help="Count reports too that nobody vouches for, altered ones too."
)
def labels(path: Path, as_json: bool, key: Path | None, unverified: bool) -> None:
    """Rebuild the table of labels from the verified reports of reviews in the folder PATH alone.

    A PACS gives the reports away like any DICOM object, and takes them from anybody. Those count that the
    installation vouches for whose --key is given; of the others each is named with the reason.

    Exit status 0 when every report was counted, 1 when one was not, 2 on unusable input.
    """
    from headct.reports.labels import find_reports, rebuild
    from headct.reports.vouching import Vouching

    try:
        found = find_reports(path, Vouching.of(key) if key else Vouching())
    except (HeadCTError, OSError) as error:
        raise _Unusable(" ".join(str(error).split())) from error
    left = [one for one in found.doubtful if one.report is None or not unverified]
    counted = [*found.reports, *(one.report for one in found.doubtful if one.report and unverified)]
    rows = rebuild(counted)
    if as_json:
        click.echo(json.dumps([label.to_json() for label in rows], ensure_ascii=False, indent=2))
    for label in () if as_json else rows:
        shown = label.label.name if label.label is not None else "-"
        readers = f"{label.readers} reader" + ("s" if label.readers > 1 else "")
        excluded = f", excluded: {label.reason.value}" if label.reason else ""
        click.echo(f"{shown:8}{label.series_instance_uid}  {label.standing.value}, {readers}{excluded}")
    for one in found.doubtful:
        counts = "counted, but" if one not in left else "not counted:"
        click.echo(f"headct: {one.file}: {counts} {doubt_words(one.why)}", err=True)
    if left and key is None:
        click.echo("headct: without --key no report can be verified", err=True)
    if left:
        sys.exit(1)


def _assess(path: Path, bundle: Path | None, rubric: Path | None, *, research: bool) -> list[Outcome]:
    """Outcomes of all series under ``path``, in the order of their UIDs' first appearance.

    Raises:
        HeadCTError: nothing can be judged: no such folder, no DICOM file in it, no usable bundle or rubric.
    """
    # Loaded here, for they take half a second that other commands need not wait.
    from headct.images.reading import group_series
    from headct.network.bundle import default_bundle, load_bundle
    from headct.network.classifier import Classifier
    from headct.pipeline import assess as assess_series
    from headct.triage.rubric import Rubric

    if not path.exists():
        raise UnusableInputError(f"there is no folder {path}")
    own_rubric = Rubric.load(rubric) if rubric else None
    groups = group_series([path])
    if not groups:
        raise UnusableInputError(f"there is no DICOM file in {path}")
    chosen = load_bundle(bundle or default_bundle(research=research))
    with _quiet():
        classifier = Classifier(chosen)
    if research or chosen.contents.use is Use.RESEARCH:
        found = "" if chosen.contents.use is Use.RESEARCH else "; --research found no model for research only"
        name = f"{chosen.contents.name} {chosen.contents.version}"
        click.echo(f"headct: {name}: {licence_words(chosen.licence)}{found}", err=True)
    return [
        assess_series(sources, classifier, rubric=own_rubric, series_instance_uid=uid).outcome
        for uid, sources in groups.items()
    ]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what native libraries print while they load off standard error."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _lines(outcome: Outcome) -> str:
    """A series in words: urgency or state first, then why."""
    found = outcome.assessment
    if found is None:
        reason = outcome.reason.sentence() if outcome.reason else ""
        return f"{state_words(outcome.state).upper():14}{reason}\n{'':14}series {outcome.series_instance_uid}"
    lines = [f"{found.urgency.name:14}{urgency_words(found.urgency, unsure=found.unsure)}"]
    lines += [f"{'':14}{unsure_words(doubt)}" for doubt in found.doubts]
    lines += [f"{'':14}{words}" for words in findings_words(found.findings)]
    lines += [f"{'':14}because: {rule_words(rule)}" for rule in found.rules[:1]]
    lines += [f"{'':14}caution: {caution_words(code)}" for code in found.cautions]
    seconds = f"{found.timings.total:.2f} s"
    model = f"{found.bundle.name} {found.bundle.version}"
    lines.append(f"{'':14}series {outcome.series_instance_uid}, {seconds}, {model}")
    return "\n".join(lines)
