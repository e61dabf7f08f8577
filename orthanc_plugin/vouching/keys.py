"""The keys of this installation: made at the first start, refused where others may read them."""

import logging
from dataclasses import dataclass
from hashlib import sha256

from headct.errors import SealError
from headct.language import Phrase, _
from headct.reports.seals import KeyRing
from headct.safe_log import failure
from orthanc_plugin.settings import Settings
from orthanc_plugin.system_words import words_of_system

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys, or why there are none."""

    ring: KeyRing | None
    problem: Phrase | None = None
    """Reports of reviews wait while there is one: written without a seal nobody would vouch for them."""

    @classmethod
    def open(cls, settings: Settings) -> "Keys":
        """Those of the file that the settings name."""
        try:
            return cls(KeyRing.read_or_make(settings.key_file))
        except SealError as error:
            problem = error.sentence
        except OSError as error:
            problem = _(
                "The keys of reports cannot be used ({why}).",
                why=words_of_system(error.strerror or type(error).__name__),
            )
            log.warning("no keys of reports: %s", failure(error))
        return cls(None, problem)

    @property
    def mark(self) -> str:
        """Another one with other keys."""
        names = [] if self.ring is None else sorted(sha256(key).hexdigest() for key in self.ring.keys)
        return sha256(" ".join(names).encode()).hexdigest()[:16]
