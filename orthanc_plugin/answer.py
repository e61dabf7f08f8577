"""What every answer is made of: the base of the objects behind the REST routes, and what rooms share of them.

Times are UTC. Demographics and DICOM dates are shown as written in the images, never parsed.
"""

from functools import cache
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from headct.language import Language, Phrase
from headct.terms.licence import Licence, Use
from headct.terms.urgency import Urgency

UrgencyName = Annotated[
    Urgency,
    BeforeValidator(lambda u: Urgency[u] if isinstance(u, str) and u in Urgency.__members__ else u),
    PlainSerializer(lambda u: u.name, return_type=str),
    WithJsonSchema({"type": "string", "enum": [u.name for u in Urgency]}),
]
"""An urgency, written and read by its name."""


class View(BaseModel):
    """Base of all answers: frozen, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def model_json_schema(cls, *how: Any, **named: Any) -> dict[str, Any]:
        """The schema, made once: the interface's description asks for the same ones at every route."""
        return _schema(cls, *how, **named)


@cache
def _schema(view: "type[View]", *how: Any, **named: Any) -> dict[str, Any]:
    return super(View, view).model_json_schema(*how, **named)


class Words(View):
    """One sentence in both languages."""

    en: str
    ja: str

    @classmethod
    def of(cls, phrase: Phrase) -> Self:
        """From the phrase."""
        return cls(en=phrase.say("en"), ja=phrase.say("ja"))

    def in_language(self, language: Language) -> str:
        """The sentence in one of them; a figure of a phrase, too."""
        return self.ja if language == "ja" else self.en


class ErrorView(View):
    """Every error's body."""

    code: str
    message: str


class BundleView(View):
    """A model on this machine."""

    name: str
    version: str
    device_uid: str
    digest: str = Field(description="SHA-256 of bundle.json, hex")
    in_service: bool = True


class LicensedBundleView(BundleView):
    """A model with its terms, of which those before the program kept them say nothing."""

    licence: str = Field(default="", description="in words; what stands before the first semicolon says most")
    use: Use | None = Field(default=None, description="what the licence allows")

    @property
    def terms(self) -> Licence | None:
        """The licence, where it is known."""
        return Licence(self.licence, self.use) if self.use is not None else None


class PatientNameView(View):
    """The three component groups of a DICOM person name, as written (PS3.5 section 6.2.1)."""

    alphabetic: str = ""
    ideographic: str = ""
    phonetic: str = ""

    @classmethod
    def of(cls, written: str) -> Self:
        """From the value of the attribute, its groups divided by ``=``."""
        groups = [*written.split("=", 2), "", ""]
        return cls(alphabetic=groups[0], ideographic=groups[1], phonetic=groups[2])


class ImportedStudyView(View):
    """A study announced as imported."""

    study_instance_uid: str
    known: bool = Field(description="was here already, and stays where it is unless declared new")
    earlier: bool = Field(description="among the earlier studies: assessed, not queued")
