"""Who the logins of Orthanc are, and what each may do: the setting ``People``."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_pascal

from headct.language import Phrase, _, pgettext
from headct.terms.review import Person
from orthanc_plugin.access.roles import Role
from orthanc_plugin.answer import PatientNameView, View, Words
from orthanc_plugin.errors import RefusedError


class PersonSettings(BaseModel):
    """Who a login of Orthanc is."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_pascal, populate_by_name=True)

    name: str = Field(min_length=1, max_length=194)
    """DICOM person name (PS3.5 section 6.2.1), such as ``Sato^Hanako``."""
    organisation: str = Field(min_length=1, max_length=64)
    """Stands in the reports beside the name."""
    role: Role = Role.READER

    @field_validator("name")
    @classmethod
    def _a_dicom_name(cls, name: str) -> str:
        # What was not checked here would fail at night, when the report of a review is written.
        groups = [group.split("^") for group in name.split("=")]
        if not name.isprintable() or "\\" in name or len(groups) > 3 or max(map(len, groups)) > 5:
            raise ValueError(_("is not a DICOM person name"))
        if not any(part.strip() for group in groups for part in group):
            raise ValueError(_("is a DICOM person name without a name in it"))
        return name

    @field_validator("organisation")
    @classmethod
    def _not_blank(cls, organisation: str) -> str:
        if not organisation.strip():
            raise ValueError(_("is blank"))
        return organisation

    def may(self, role: Role) -> bool:
        """Whether this person may do what the role may."""
        return self.role.may(role)


ROLES = {
    Role.VIEWER: pgettext("role", "a viewer"),
    Role.SERVICE: pgettext("role", "a program that brings images"),
    Role.READER: pgettext("role", "a reader"),
    Role.ADMINISTRATOR: pgettext("role", "an administrator"),
}


class IdentityView(View):
    """Who a login is, as the setting People says."""

    login: str = ""
    name: PatientNameView = PatientNameView()
    role: Role = Role.VIEWER
    refusal: Words | None = Field(default=None, description="why this login may not review")
    readers: tuple[PatientNameView, ...] = Field(default=(), description="who may")


@dataclass(frozen=True, slots=True)
class People:
    """All whom the setting names. Others only look; where Orthanc asks nobody, everybody does."""

    named: Mapping[str, PersonSettings]
    """By login."""
    authentication: bool
    """Whether Orthanc asks for a user and a password."""

    def refusal(self, login: str, role: Role) -> Phrase | None:
        """Why a login may not do what the role may."""
        if not self.authentication:
            return _("Changes are refused unless Orthanc asks for a user and a password.")
        person = self.named.get(login)
        if person is None:
            return _("The setting People does not say who you are: you may only look.")
        if not person.may(role):
            return _("This is for {needed}; you are {own}.", needed=ROLES[role], own=ROLES[person.role])
        return None

    def require(self, login: str, role: Role) -> Person:
        """Who a login is.

        Raises:
            RefusedError: they may not do what the role may.
        """
        if (refusal := self.refusal(login, role)) is not None:
            raise RefusedError(refusal)
        person = self.named[login]
        return Person(login, person.name, person.organisation)

    def identity(self, login: str) -> IdentityView:
        """Who a login is, and whether they may review."""
        person = self.named.get(login) if self.authentication else None
        refusal = self.refusal(login, Role.READER)
        readers = (p.name for p in self.named.values() if p.may(Role.READER))
        return IdentityView(
            login=login,
            name=PatientNameView.of(person.name if person else ""),
            role=person.role if person else Role.VIEWER,
            refusal=Words.of(refusal) if refusal is not None else None,
            readers=tuple(PatientNameView.of(name) for name in readers),
        )
