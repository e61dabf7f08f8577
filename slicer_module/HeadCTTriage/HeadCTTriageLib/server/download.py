"""The images of a series: several at once, with progress, and to be cancelled at any moment."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Sequence
from contextlib import closing
from functools import partial
from io import BytesIO
from typing import Callable, Optional, TypeVar, Union

from pydicom import Dataset, dcmread
from pydicom.uid import ExplicitVRLittleEndian

from ..errors import CancelledError, RefusedError, UnreachableError, UnreadableError
from ..translation import _
from .client import TriageClient

T = TypeVar("T")

AT_ONCE = 4
"""Two fill a hospital's network; four also while Orthanc decompresses."""
ATTEMPTS = 3
PAUSE_SECONDS = 0.3
"""Before an image is asked for again."""
LOOK_SECONDS = 0.05
"""How often it is looked whether the doctor still wants it."""
_AGAIN = {UnreachableError.SLOW, UnreachableError.BROKEN, UnreachableError.NO_ANSWER, UnreachableError.FAILED}


def download(
    client: TriageClient,
    series_id: str,
    *,
    on_progress: Callable[[int, int], None],
    cancelled: threading.Event,
) -> list[Dataset]:
    """All images of a series with uncompressed pixels, in no order.

    Args:
        client: whose server has the series.
        series_id: Orthanc's identifier.
        on_progress: told how many images of how many are here, in this thread.
        cancelled: set to end it; it is over within a fifth of a second, whatever the server does.

    Raises:
        CancelledError: it was.
        UnreachableError: the server does not give an image, asked three times;
            the message says how many came.
        UnreadableError: an image cannot be read or decompressed, or was deleted meanwhile.
        RefusedError: the server said no.
    """
    with closing(_at_once(client, [partial(client.instances, series_id)], cancelled)) as listing:
        images = next(listing)
    source = Source(client, cancelled)
    read: list[Dataset] = []
    on_progress(0, len(images))
    with closing(_at_once(client, [partial(source.image, one) for one in images], cancelled)) as coming:
        try:
            for image in coming:
                read.append(image)
                on_progress(len(read), len(images))
        except RefusedError as error:
            if error.code != RefusedError.GONE:
                raise
            sentence = _("The series changed while it was loaded: an image is gone. Open it again.")
            raise UnreadableError(sentence) from None
        except UnreachableError as error:
            raise UnreachableError(_count(read, images, error), error.kind) from None
        except UnreadableError as error:
            raise UnreadableError(_count(read, images, error)) from None
    return read


class Source:
    """Images of one server, uncompressed: Slicer's pydicom decodes no JPEG, so Orthanc is asked to.

    From Orthanc 1.12.2 on a file comes in the wished transfer syntax. An older one gives it as it is stored;
    then it is asked for a copy as its ``modify`` makes it, which decompresses since 1.7.0. JPEG 2000 Orthanc
    decompresses only with its GDCM plugin; what it cannot is left to pydicom, which may have Pillow.
    """

    def __init__(self, client: TriageClient, cancelled: threading.Event) -> None:
        """``cancelled``: set when nobody wants the images any more."""
        self._client = client
        self._cancelled = cancelled
        self._copies = False
        """Whether the server gave a file as it was stored and a copy uncompressed: then copies at once."""

    def image(self, instance_id: str) -> Dataset:
        """One image. May be called by several threads.

        Raises:
            TriageError: as every call of the client; what may pass only after three attempts.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._image(instance_id)
            except UnreachableError as error:
                if error.kind not in _AGAIN or attempt == ATTEMPTS:
                    raise
            except UnreadableError:
                if attempt == ATTEMPTS:
                    raise
            if self._cancelled.wait(PAUSE_SECONDS):
                raise CancelledError(_("It was cancelled."))
        raise AssertionError

    def _image(self, instance_id: str) -> Dataset:
        if self._copies:
            copy = self._copy(instance_id)
            if copy is not None:
                return copy
        try:
            image = _parsed(self._client.file(instance_id, transcode=ExplicitVRLittleEndian))
        except (RefusedError, UnreachableError) as error:
            if not _cannot(error):
                raise
            image = _parsed(self._client.file(instance_id))
        if not _compressed(image):
            return image
        copy = self._copy(instance_id)
        if copy is not None:
            self._copies = True
            return copy
        return _decompressed(image)

    def _copy(self, instance_id: str) -> Optional[Dataset]:
        """Decompressed by Orthanc; ``None`` where it cannot, or this login may not ask for it."""
        try:
            copy = _parsed(self._client.transcoded(instance_id, ExplicitVRLittleEndian))
        except (RefusedError, UnreachableError) as error:
            if not _cannot(error):
                raise
            return None
        return None if _compressed(copy) else copy


def _cannot(error: Union[RefusedError, UnreachableError]) -> bool:
    """Whether the server answered that it does not do that. Orthanc 1.12 says 404 to a transfer syntax."""
    if isinstance(error, RefusedError):
        return error.code != RefusedError.LOGIN
    return error.kind == UnreachableError.FAILED


def _parsed(data: bytes) -> Dataset:
    try:
        # Closed, it is not kept: pydicom remembers where an image came from, and would keep the file too.
        with BytesIO(data) as file:
            return dcmread(file)
    except Exception:  # pydicom raises whatever its readers stumble over
        raise UnreadableError(_("An image is damaged: it is no DICOM file.")) from None


def _compressed(image: Dataset) -> bool:
    try:
        return bool(image.file_meta.TransferSyntaxUID.is_encapsulated)
    except (AttributeError, ValueError):  # none, or a manufacturer's own
        raise UnreadableError(_("An image is damaged: how its pixels are written is not known.")) from None


def _decompressed(image: Dataset) -> Dataset:
    name = image.file_meta.TransferSyntaxUID.name
    uid = image.SOPInstanceUID
    try:
        image.decompress()
    except Exception:  # whatever its decoders stumble over, or that there is none
        sentence = _(
            "The images are compressed ({name}), and neither the server nor Slicer can decompress them. "
            "Orthanc can with its GDCM plugin."
        )
        raise UnreadableError(sentence.format(name=name)) from None
    # pydicom 3 calls it a new image.
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = uid
    return image


def _count(read: Sequence[Dataset], images: Sequence[str], error: Exception) -> str:
    sentence = _("{came} of {all} images came. {why}")
    return sentence.format(came=len(read), all=len(images), why=error)


def _at_once(
    client: TriageClient, jobs: Sequence[Callable[[], T]], cancelled: threading.Event
) -> Generator[T, None, None]:
    """Results of all jobs as they come, in no order; the first error ends all.

    The threads are daemons and nobody waits for their end: one that looks for a server's name cannot be told
    to stop, and Slicer is to close all the same.
    """
    waiting: queue.SimpleQueue[Callable[[], T]] = queue.SimpleQueue()
    done: queue.SimpleQueue[Callable[[], T]] = queue.SimpleQueue()
    over = threading.Event()
    for job in jobs:
        waiting.put(job)

    def work() -> None:
        while not over.is_set():
            try:
                job = waiting.get_nowait()
            except queue.Empty:
                return
            done.put(_outcome(job))

    threads = [threading.Thread(target=work, daemon=True) for _job in jobs[:AT_ONCE]]
    for thread in threads:
        thread.start()
    try:
        for _job in jobs:
            yield _next(done, cancelled)()
    finally:
        over.set()
        for thread in threads:
            client.cancel(thread)


def _outcome(job: Callable[[], T]) -> Callable[[], T]:
    """What gives the job's result, or raises its error, in another thread."""
    try:
        result = job()
    except Exception as error:  # raised where the result is waited for
        found = error

        def fail() -> T:
            raise found

        return fail
    return lambda: result


def _next(done: queue.SimpleQueue[Callable[[], T]], cancelled: threading.Event) -> Callable[[], T]:
    while not cancelled.is_set():
        try:
            return done.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            continue
    raise CancelledError(_("It was cancelled."))
