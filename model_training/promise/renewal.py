"""A bundle's promise made, or made anew from cases that came after those of the one before."""

from datetime import datetime
from pathlib import Path

from headct.errors import UnusableInputError
from headct.network.bundle import Bundle
from headct.network.promise import Promise
from model_training.datasets.orthanc import Pacs
from model_training.promise.sample import Wish, promise


def renew(
    pacs: Pacs, bundle: Bundle, path: Path, wish: Wish, *, since: datetime | None = None, now: datetime
) -> Promise:
    """Count, and write the promise into its file; the one that is there stays where none can be made.

    Args:
        pacs: where the bundle judged and was reviewed.
        bundle: which.
        path: of the promise.
        wish: how much is to be shown.
        since: when the sample begins; with the first case after the promise before, or the bundle's first,
            unless given.
        now: the time.

    Raises:
        NotPromisedError: and why.
        UnusableInputError: the sample would have cases of the promise before, which are known already.
        PromiseError: the file holds something else.
        PacsError: Orthanc does not answer.
    """
    before = Promise.read(path, bundle.digest)
    if before is not None and since is not None and since <= before.until:
        raise UnusableInputError(
            f"the promise in {path} rests on cases until {before.until:%Y-%m-%d %H:%M} UTC: a new one begins"
            " after them, with cases of which nothing is known"
        )
    cases = pacs.judged(bundle.digest, since)
    if before is not None:
        cases = tuple(case for case in cases if case.first_arrival > before.until)
    made = promise(bundle.digest, cases, wish, now)
    made.write(path)
    return made
