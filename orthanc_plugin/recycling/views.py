"""What is said over REST of Orthanc's own limits."""

from pydantic import Field

from orthanc_plugin.answer import View, Words


class RecyclingView(View):
    """Orthanc's own limits, at which it deletes the oldest patients, and who is kept from that."""

    patients: int = Field(description="in Orthanc, as of half a minute ago at most")
    maximum_patients: int | None = None
    size_bytes: int = 0
    maximum_size_bytes: int | None = None
    protected: int = Field(default=0, description="patients with unread alerts that triage protects")
    unprotected_alerts: int = Field(default=0, description="unread alerts beyond half of the limit")
    problem: Words | None = Field(default=None, description="what may be deleted unread")
