"""What is said over REST of where results are sent on to."""

from pydantic import Field

from orthanc_plugin.answer import View, Words
from orthanc_plugin.states import DocumentKind


class ReceiverView(View):
    """A DICOM modality that results are sent on to."""

    name: str = Field(description="as in the setting ForwardTo")
    waiting: int = Field(default=0, description="documents not there yet, and sent again until they are")
    failing: int = Field(default=0, description="of those, refused at least once")
    given_up: int = Field(default=0, description="documents refused for a day, and no longer sent")
    answers: bool = Field(default=True, description="whether the last connection was taken")
    not_taken: dict[DocumentKind, int] = Field(
        default_factory=dict, description="of failing and given up, those of a kind that it does not take"
    )
    problem: Words | None = Field(default=None, description="what is to be put right there")
