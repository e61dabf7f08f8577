"""What Orthanc's REST interface says, from dictionaries."""

from typing import Any

CT, MR, CAPTURE = (f"1.2.840.10008.5.1.4.1.1.{n}" for n in (2, 4, 7))
SR, STATE = "1.2.840.10008.5.1.4.1.1.88.67", "1.2.840.10008.5.1.4.1.1.11.1"


class Listing:
    """What Orthanc's REST interface says of series, images and changes."""

    def __init__(self) -> None:
        self.series: dict[str, dict[str, Any]] = {}
        self.changes: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self.uploaded: set[str] = set()
        self.classes: dict[str, str] = {}
        self.made_of: dict[str, dict[str, str]] = {}
        """What Orthanc notes of images and documents that it made of others."""
        self.jobs: list[dict[str, Any]] = []
        self.sequence = 0

    def image(self, series: str, number: int, modality: str = "CT", sop_class: str = CT) -> None:
        self.classes[f"{series}-{number}"] = sop_class
        if series not in self.series:
            self.series[series] = {
                "ID": series,
                "Instances": [],
                "ParentStudy": f"study-of-{series}",
                "LastUpdate": "20260301T030000",
                "MainDicomTags": {"Modality": modality, "SeriesInstanceUID": f"1.2.{series}"},
            }
            self.log("NewSeries", series)
        self.series[series]["Instances"].append(f"{series}-{number}")
        self.log("NewInstance", f"{series}-{number}")

    def log(self, kind: str, identifier: str) -> None:
        self.sequence += 1
        self.changes.append(
            {"ChangeType": kind, "ID": identifier, "Seq": self.sequence, "Date": "20260301T030000"}
        )

    def delete(self, series: str) -> None:
        """What the log says of it goes with it; no number is given twice."""
        gone = {series, *self.series.pop(series)["Instances"]}
        self.changes = [c for c in self.changes if c["ID"] not in gone]

    def made_anew(self) -> None:
        self.series.clear()
        self.changes.clear()
        self.sequence = 0

    def get(self, path: str) -> Any:
        self.calls.append(path)
        route, _, query = path.partition("?")
        options = dict(part.partition("=")[::2] for part in query.split("&"))
        parts = route.strip("/").split("/")
        if route == "/changes" and "last" in options:
            return {"Last": self.changes[-1]["Seq"] if self.changes else 0}
        if route == "/changes":
            since, limit = int(options["since"]), int(options["limit"])
            later = [c for c in self.changes if c["Seq"] > since]
            page = later[:limit]
            last = page[-1]["Seq"] if page else since
            return {"Changes": page, "Last": last, "Done": len(later) <= limit}
        if route == "/jobs":
            return self.jobs
        if route == "/series":
            offset, limit = int(options["since"]), int(options["limit"])
            return list(self.series.values())[offset : offset + limit]
        if parts[0] == "series":
            return self.series.get(parts[1])
        if parts[0] == "instances" and parts[2:] == ["metadata"]:
            origin = "RestApi" if parts[1] in self.uploaded else "DicomProtocol"
            made_of = self.made_of.get(parts[1], {})
            return {"Origin": origin, "SopClassUid": self.classes[parts[1]], **made_of}
        if parts[0] == "instances":
            parent = parts[1].rpartition("-")[0]
            return {"ParentSeries": parent} if parent in self.series else None
        return {"MainDicomTags": {"StudyInstanceUID": f"1.3.{parts[1]}"}}
