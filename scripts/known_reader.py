"""A reader who knows the truth: reviews every series of an Orthanc whose label prepared data hold.

    HEADCT_USER=... HEADCT_PASSWORD=... python scripts/known_reader.py http://127.0.0.1:8042 build/data

To try the way from a review to the next model on public data, where no specialist sits at the page. The
reviews are real ones, by the login given, so never point it at a server that is in use.
"""

import uuid
from pathlib import Path

import click
import httpx

from headct.terms.review import ReviewFinding
from model_training.datasets.manifest import Entry, Manifest

FINDINGS = {
    "ivh": ReviewFinding.INTRAVENTRICULAR,
    "iph": ReviewFinding.INTRAPARENCHYMAL,
    "sah": ReviewFinding.SUBARACHNOID,
    "edh": ReviewFinding.EPIDURAL,
    "sdh": ReviewFinding.SUBDURAL,
    "fracture": ReviewFinding.FRACTURE,
}
"""Labels of a manifest by what a reader calls them."""


def findings(patient: Entry) -> dict[str, bool]:
    """What is there and what is not, as a review says it."""
    said = {FINDINGS[name].value: there for name, there in patient.labels.items() if name in FINDINGS}
    return {**said, ReviewFinding.HAEMORRHAGE.value: patient.bleeding}


@click.command()
@click.argument("url")
@click.argument("data", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--user", envvar="HEADCT_USER", required=True)
@click.option("--password", envvar="HEADCT_PASSWORD", required=True, prompt=True, hide_input=True)
def main(url: str, data: Path, user: str, password: str) -> None:
    """Review what the Orthanc at URL has of the prepared data in DATA, and nobody has reviewed yet."""
    known = {p.series: p for p in Manifest.read(data).patients if p.urgency and not p.exclusion}
    done = 0
    with httpx.Client(base_url=f"{url.rstrip('/')}/triage/api/v1/", auth=(user, password)) as http:
        worklist = http.get("worklist").raise_for_status().json()
        for row in [*worklist["rows"], *worklist["earlier"]]:
            for shown in row["series"]:
                patient = known.get(shown["series_instance_uid"])
                series = http.get(f"series/{shown['id']}").raise_for_status().json()
                if patient is None or series["reviews"]:
                    continue
                http.post(
                    f"series/{shown['id']}/review",
                    headers={"X-Triage": "review"},
                    json={
                        "action": "relabel",
                        "urgency": patient.urgency,
                        "findings": findings(patient),
                        "based_on": series["based_on"],
                        "request_id": uuid.uuid4().hex,
                    },
                ).raise_for_status()
                done += 1
    click.echo(f"{done} series reviewed")


if __name__ == "__main__":
    main()
