"""The model card: what the bundle says of itself, in words, every figure from its JSON."""

from collections.abc import Mapping
from typing import Any

from headct.bundle import BundleContents
from headct.urgency import Urgency
from model_training.datasets.manifest import Manifest


def model_card(contents: BundleContents, manifest: Manifest) -> str:
    """Markdown text of the card. The patient is the unit of every figure; intervals are 95 %."""
    figures = contents.figures
    bleeding = [p for p in manifest.in_folds if p.bleeding]
    small = sum((p.bleed_ml or 0.0) < 5 for p in bleeding)
    young = sum(bool(p.under_18) for p in manifest.in_folds)
    haemorrhage, alert = figures["haemorrhage"], figures["alert"]
    at = haemorrhage["at_nested_cuts"]
    sections = [
        f"# {contents.name} {contents.version}",
        "Marks blood on non-contrast head CT, for triage. The physician makes the judgement; the program"
        " supports it. GREEN means nothing was flagged, never that the scan is normal. Not a medical device.",
        "## Data",
        f"Trained on {contents.data.patients} patients of {', '.join(contents.data.sources)}:"
        f" {len(bleeding)} with haemorrhage ({small} of under 5 ml) and"
        f" {len(manifest.in_folds) - len(bleeding)} without; {young} are under 18. One hospital, head trauma,"
        " mostly epidural bleeds and contusions.",
        *(f"- {source}: {licence}" for source, licence in sorted(manifest.licences.items())),
        f"- Manifest SHA-256: `{contents.data.manifest_sha256}`",
        "## Never shown, or hardly",
        "Adults of other hospitals; scans after operation; aneurysms; tumours and contrast; slices other than"
        " about 5 mm. Subdural, intraventricular and subarachnoid blood and old collections are in a"
        " handful of patients, so no figure by type of bleed can be given. In this data sex, fracture and age"
        " alone tell much of who bleeds, so part of any figure here may not be the brain's.",
        "## Out of fold",
        f"Cross-validation by patient, {figures['patients']} patients; each judged by a network that never"
        " saw it. Cuts at these rates were chosen without the patients they are applied to.",
        "| | value | 95 % interval |",
        "|---|---|---|",
        _area("area under the curve, haemorrhage", haemorrhage["out_of_fold"]),
        _area("the same, doubtful labels left out", haemorrhage["doubtful_left_out"]),
        _share("sensitivity", at["sensitivity"]),
        _share("sensitivity, 5 ml and more", at["sensitivity_5_ml_and_more"]),
        _share("sensitivity, under 5 ml", at["sensitivity_under_5_ml"]),
        _share("specificity", at["specificity"]),
        _share("sensitivity, under 18", at["under_18"]["sensitivity"]),
        _share("specificity, under 18", at["under_18"]["specificity"]),
        f"| mean Dice of bleeding patients | {haemorrhage['mean_dice']:.2f} | |",
        _area("area under the curve, alert", alert["out_of_fold"]),
        _share("alert colour, sensitivity", alert["by_colour"]["sensitivity"]),
        _share("alert colour, specificity", alert["by_colour"]["specificity"]),
        "",
        "The alert's truth is provisional: the rubric"
        f" (version {contents.rubric_version}) over the true masks, not a specialist's judgement. The network"
        " that ships was trained on all patients at the cuts chosen out of fold; on patients it was not"
        " trained on it can be judged only elsewhere. Probabilities are calibrated at this data's share of"
        " bleeding patients, far above a hospital's.",
        "### Colours",
        "Rows: rubric over true masks. Columns: over the network's masks. Patients.",
        _colours(figures["colours"]),
        *_external(figures["external"]),
        "## Cuts and export",
        f"Voxel {contents.cuts.voxel:.2f}; haemorrhage score {contents.cuts.haemorrhage:.3f}"
        " (decimal logarithm of ml of an adult-sized head). The figures above are of float32 networks.",
        _export(figures["export"]),
        "## Licence",
        contents.licence,
    ]
    return "\n".join(_spaced(sections)) + "\n"


def _spaced(sections: list[str]) -> list[str]:
    """A blank line between paragraphs, none within a table or list."""
    lines: list[str] = []
    for text in sections:
        if lines and not (text[:1] in "|-" and lines[-1][:1] == text[:1]):
            lines.append("")
        lines.append(text)
    return [line for i, line in enumerate(lines) if line or (i and lines[i - 1])]


def _area(name: str, figure: Mapping[str, Any]) -> str:
    return f"| {name} | {figure['auc']:.3f} | {figure['low']:.3f} to {figure['high']:.3f} |"


def _share(name: str, figure: Mapping[str, Any]) -> str:
    if figure["share"] is None:
        return f"| {name} | no patient | |"
    return (
        f"| {name} | {figure['share']:.2f} ({figure['count']} of {figure['of']})"
        f" | {figure['low']:.2f} to {figure['high']:.2f} |"
    )


def _colours(table: Mapping[str, Mapping[str, int]]) -> str:
    names = [u.name for u in Urgency]
    rows = [f"| {a} | " + " | ".join(str(table[a][b]) for b in names) + " |" for a in names]
    return "\n".join(["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|", *rows])


def _external(figures: Mapping[str, Any] | None) -> list[str]:
    if figures is None:
        return []
    s = figures["sensitivity"]
    of_folds = ", ".join(str(f["count"]) for f in figures["sensitivity_of_fold_networks"])
    shift = figures["final_minus_fold_score_median"]
    return [
        "## Another hospital",
        f"{figures['source']}, all with haemorrhage of the basal ganglia, never trained on: {s['count']} of"
        f" {s['of']} flagged ({s['low']:.2f} to {s['high']:.2f}) by the network that ships, at the same cut;"
        f" by the networks of the folds {of_folds}. Median score of the shipped network minus the folds':"
        f" {shift:+.2f}. Nothing can be said of specificity there.",
    ]


def _export(figures: Mapping[str, Any]) -> str:
    return (
        f"LiteRT, {figures['precision']} weights, {figures['megabytes']} MB. Against the original on real"
        f" volumes: Dice of the masks {figures['mask_dice']:.3f}, largest difference of a probability"
        f" {figures['largest_difference']:.3f}."
    )
