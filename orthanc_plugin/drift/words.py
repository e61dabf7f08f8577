"""Words of the drift monitoring, for page and REST alike."""

from headct.language import _, pgettext
from headct.terms.quantities import Quantity
from orthanc_plugin.answer import Words
from orthanc_plugin.drift import alarm
from orthanc_plugin.drift.views import Rate

Q = Quantity

QUANTITIES = {
    Q.HAEMORRHAGE_PROBABILITY: _("Haemorrhage probability"),
    Q.AGE_YEARS: _("Age (years)"),
    Q.SLICES: _("Number of images"),
    Q.SLICE_DISTANCE_MM: _("Distance of slices (mm)"),
    Q.PIXEL_MM: _("Pixel size (mm)"),
    Q.NOISE_HU: _("Noise of brain (HU)"),
    Q.NOISE_CORRELATION: _("Noise correlation, low for a sharp kernel"),
}
RATES = {
    Rate.NOT_ANALYSED: _("Not analysed"),
    Rate.FAILED: _("Failed"),
    Rate.RELABELLED: _("Relabelled, of reviewed"),
}

RULE = Words.of(
    _(
        "At the end of every week its cases are looked at, together with those of the weeks before it "
        "while they are fewer than {fewest}; of fewer than {fewest} in {longest} weeks nothing is said. A "
        "distribution gives an alarm when its population stability index against the patients the model "
        "was trained on is above {large} and above what chance alone exceeds once in {looks:.0f} looks. A "
        "rate gives an alarm when it is higher than in the {memory} weeks before and chance alone would "
        "make it so less than once in {looks:.0f} looks (Fisher's exact test). Where nothing changes that "
        "is about one false alarm in three years.",
        fewest=alarm.FEWEST,
        longest=alarm.LONGEST,
        large=alarm.LARGE_SHIFT,
        memory=alarm.MEMORY,
        looks=1 / alarm.LEVEL,
    )
)
"""False alarms as simulated in ``tests/orthanc_plugin/drift/test_alarm.py``: 0.33 a year at most."""


def shift_alarm(quantity: Quantity, model: str, weeks: str, shift: alarm.Shift) -> Words:
    """That a distribution is no longer that of the patients trained on."""
    return Words.of(
        _(
            "{name}: the {cases} cases of {weeks} are unlike those that {model} was trained on"
            " (PSI {index:.2f} > {limit:.2f}).",
            name=QUANTITIES[quantity],
            cases=shift.cases,
            weeks=weeks,
            model=model,
            index=shift.index,
            limit=shift.limit,
        )
    )


def rise_alarm(rate: Rate, model: str | None, weeks: str, rise: alarm.Rise) -> Words:
    """That a rate is higher than it was."""
    name = RATES[rate]
    return Words.of(
        _(
            "{name}: {count} of {cases} cases of {weeks}, {now:.0%}; {before:.1%} before.",
            name=pgettext("rate of a model", "{name} ({model})", name=name, model=model) if model else name,
            count=rise.count,
            cases=rise.of,
            weeks=weeks,
            now=rise.count / rise.of,
            before=rise.count_before / rise.of_before,
        )
    )
