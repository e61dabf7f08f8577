"""What Orthanc made by itself, and of what: it modifies, anonymises, merges and splits what it has."""

from typing import Any

from orthanc_plugin.intake.contents import Get, modality

OUR_MODALITIES = frozenset({"SR", "KO", "SEG"})
"""Of the results that we store in Orthanc."""
JOINING = frozenset({"MergeStudy", "SplitStudy"})
"""Orthanc's jobs that make series of others without a note of which."""


class Jobs:
    """What Orthanc is doing or has just done by itself; asked once, and only if somebody wants to know.

    After a merge or a split no image says what it was made of: only Orthanc's list of jobs tells of it.
    """

    def __init__(self, get: Get) -> None:
        self._get = get
        self._joining: list[dict[str, Any]] | None = None

    def joined(self, study_id: str) -> bool:
        """Whether series were merged into a study, or split off to make it."""
        if self._joining is None:
            jobs = self._get("/jobs?expand") or []
            self._joining = [job.get("Content") or {} for job in jobs if job.get("Type") in JOINING]
        if any(content.get("TargetStudy") == study_id for content in self._joining):
            return True
        # Until its first image is stored a split names the study that it makes by the UID alone.
        unmade = (content for content in self._joining if "TargetStudy" not in content)
        begun = [content["TargetStudyUID"] for content in unmade if "TargetStudyUID" in content]
        study = self._get(f"/studies/{study_id}") if begun else None
        return study is not None and study["MainDicomTags"].get("StudyInstanceUID") in begun


def original(answer: dict[str, Any]) -> str | None:
    """What Orthanc modified or anonymised to make something, by its description or its metadata."""
    found = answer.get("AnonymizedFrom") or answer.get("ModifiedFrom")
    return str(found) if found else None


def copied_documents(get: Get, answer: dict[str, Any], jobs: Jobs) -> list[tuple[str, str | None]]:
    """Documents of a series that Orthanc made of others, and of which where it says so."""
    if modality(answer) not in OUR_MODALITIES:
        return []
    if original(answer) is None:
        return [(i, None) for i in answer["Instances"]] if jobs.joined(answer["ParentStudy"]) else []
    return [(i, original(get(f"/instances/{i}/metadata?expand") or {})) for i in answer["Instances"]]
