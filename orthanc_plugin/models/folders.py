"""Where models lie: those that ship, the one named in the settings, and the hospital's own folder.

A model's folder is called ``NAME-VERSION``. What was altered, is incomplete or was made for another input is
refused, with the reason; nothing is loaded here.
"""

import os
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from headct.errors import BundleError
from headct.language import _, pgettext, read_back
from headct.terms.assessment import BundleIdentity
from orthanc_plugin.errors import ConflictError, NotFoundError
from orthanc_plugin.settings import Settings

if TYPE_CHECKING:
    from headct.network.bundle import Bundle

# headct.network.bundle is imported where it is used: with its numerical libraries it would double the memory
# of Orthanc's own process, which needs it for the list of models alone.

_REMEMBERED = 256
"""Folders whose hashes are not computed again while nothing in them changes."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A folder that holds a model, or should."""

    name: str
    """``NAME-VERSION``."""
    folder: Path
    shipped: bool
    bundle: "Bundle | None"
    """``None`` when it is refused."""
    refusal: str = ""
    """Why, as a phrase of the context *detail* in English."""

    @property
    def identity(self) -> BundleIdentity | None:
        """Which model it is."""
        return self.bundle.identity if self.bundle is not None else None


def offers(settings: Settings) -> list[Offer]:
    """Every model's folder on this machine, the refused ones too; of two of a name the second is refused."""
    found: dict[str, Offer] = {}
    refused = []
    for folder, named in _folders(settings).items():
        bundle, refusal = _checked(folder, _fingerprint(folder))
        own_name = f"{bundle.contents.name}-{bundle.contents.version}" if bundle else folder.name
        first = found.get(own_name)
        if bundle is not None and not named and own_name != folder.name:
            bundle, refusal = (
                None,
                str(pgettext("detail", "it holds {name}, which its folder should be called", name=own_name)),
            )
        elif bundle is not None and first is not None and first.bundle is not None:
            if first.bundle.digest == bundle.digest:
                continue  # a copy
            bundle, refusal = (
                None,
                str(pgettext("detail", "{folder} holds another model of this name", folder=first.folder)),
            )
        offer = Offer(own_name if bundle else folder.name, folder, _ships(folder), bundle, refusal)
        if bundle is None:
            refused.append(offer)
        else:
            found[own_name] = offer
    return sorted([*found.values(), *refused], key=lambda offer: (offer.name, str(offer.folder)))


def default(settings: Settings) -> Path:
    """Folder of the model that judges while no person has chosen one.

    Raises:
        BundleError: there is none.
    """
    from headct.network.bundle import default_bundle

    return settings.bundle or default_bundle(research=settings.research)


def find(settings: Settings, digest: str, name: str) -> Path:
    """Folder of the model with this digest; ``name`` is for the sentence when there is none.

    Raises:
        BundleError: no folder holds it.
    """
    folders = _folders(settings)
    for folder in folders:
        if _digest(folder) == digest:
            return folder
    if any(folder.name == name for folder in folders):
        raise BundleError(pgettext("detail", "{name} was altered since it was chosen", name=name))
    raise BundleError(pgettext("detail", "{name} is in no folder of models any more", name=name))


def usable(settings: Settings, name: str) -> "Bundle":
    """The model of a name, checked again now.

    Raises:
        NotFoundError: there is none.
        ConflictError: it is refused.
    """
    named = [offer for offer in offers(settings) if offer.name == name]
    if not named:
        raise NotFoundError(_("There is no model {name} on this machine.", name=name))
    best = next((offer for offer in named if offer.bundle is not None), named[0])
    bundle, refusal = check(best.folder)
    if best.bundle is None or bundle is None:
        raise ConflictError(_("{name} is refused: {why}.", name=name, why=read_back(best.refusal or refusal)))
    return bundle


def _folders(settings: Settings) -> dict[Path, bool]:
    """All candidates, and whether a setting names that very folder, which may then be called anything."""
    from headct.network.bundle import shipped_bundles

    named = [settings.bundle, Path(os.environ["HEADCT_BUNDLE"]) if os.environ.get("HEADCT_BUNDLE") else None]
    found = {folder: True for folder in named if folder is not None}
    try:
        own = sorted(f for f in settings.models_folder.iterdir() if f.is_dir() and not f.name.startswith("."))
    except OSError:
        own = []  # none was made, or it cannot be read
    for folder in (*shipped_bundles(), *own):
        found.setdefault(folder, False)
    return found


def _ships(folder: Path) -> bool:
    from headct.network.bundle import shipped_bundles

    return folder in shipped_bundles()


def _digest(folder: Path) -> str | None:
    from headct.network.bundle import read_contents

    try:
        return sha256(read_contents(folder)).hexdigest()
    except OSError:
        return None


def _fingerprint(folder: Path) -> tuple[tuple[str, int, int, int], ...]:
    """Changes when anything in the folder is written; who loads a model checks its hashes all the same."""
    try:
        with os.scandir(folder) as entries:
            states = [(entry.name, entry.stat(follow_symlinks=False)) for entry in entries]
    except OSError:
        return ()
    return tuple(sorted((name, s.st_ino, s.st_size, s.st_mtime_ns) for name, s in states))


@lru_cache(maxsize=_REMEMBERED)
def _checked(folder: Path, _: tuple[tuple[str, int, int, int], ...]) -> "tuple[Bundle | None, str]":
    return check(folder)


def check(folder: Path) -> "tuple[Bundle | None, str]":
    """The bundle in a folder, or why there is none that could be used."""
    from headct.network.bundle import load_bundle

    try:
        return load_bundle(folder), ""
    except BundleError as error:
        return None, str(error.sentence.filled(folder=folder.name))
    except OSError as error:
        return None, str(
            pgettext("detail", "{name} cannot be read ({kind})", name=folder.name, kind=type(error).__name__)
        )
