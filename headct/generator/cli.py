"""`headct generate`: generated head CTs as DICOM files."""

from pathlib import Path

import click

from headct.generator.generation import generate, write
from headct.generator.kinds import KINDS


@click.command("generate")
@click.argument("out", type=click.Path(path_type=Path, file_okay=False), required=False)
@click.option(
    "--kind", "kinds", multiple=True, type=click.Choice(list(KINDS)), help="May be given repeatedly."
)
@click.option("--all", "every", is_flag=True, help="One series of each kind.")
@click.option("--seed", default=0, show_default=True, help="Equal seeds give equal files.")
@click.option("--salt", default="", help="Makes the same images new ones: other UIDs and patients.")
@click.option("--list", "listing", is_flag=True, help="List the kinds and stop.")
def command(  # noqa: PLR0917
    out: Path | None, kinds: tuple[str, ...], every: bool, seed: int, salt: str, listing: bool
) -> None:
    """Write generated head CTs into OUT, a folder a series, the truth beside it as JSON."""
    if listing:
        for kind in KINDS.values():
            fate = f"not analysed: {kind.expected_reason}" if kind.expected_reason else "assessed"
            blood = f", {kind.volume_ml:g} ml of blood" if kind.bleeds else ""
            click.echo(f"{kind.name:22} {kind.words}{blood} ({fate})")
        return
    if out is None:
        raise click.UsageError("where to? OUT is missing")
    wanted = list(KINDS) if every else list(kinds) or ["normal"]
    for name in wanted:
        try:
            paths = write(generate(name, seed, salt=salt), out / name)
        except OSError as error:
            raise click.ClickException(str(error)) from error
        click.echo(f"{name}: {len(paths)} images in {out / name}")
