"""Words of the watch, for page and REST alike."""

from headct.terms.quantities import Quantity
from orthanc_plugin.answer import Words
from orthanc_plugin.drift import alarm
from orthanc_plugin.drift.views import Rate

Q = Quantity

QUANTITIES = {
    Q.HAEMORRHAGE_PROBABILITY: Words(en="Haemorrhage probability", ja="出血の確率"),
    Q.AGE_YEARS: Words(en="Age (years)", ja="年齢（歳）"),
    Q.SLICES: Words(en="Number of images", ja="画像枚数"),
    Q.SLICE_DISTANCE_MM: Words(en="Distance of slices (mm)", ja="スライス間隔（mm）"),
    Q.PIXEL_MM: Words(en="Pixel size (mm)", ja="画素サイズ（mm）"),
    Q.NOISE_HU: Words(en="Noise of brain (HU)", ja="脳実質のノイズ（HU）"),
    Q.NOISE_CORRELATION: Words(
        en="Noise correlation, low for a sharp kernel", ja="ノイズの相関（鮮鋭な関数ほど低い）"
    ),
}
RATES = {
    Rate.NOT_ANALYSED: Words(en="Not analysed", ja="解析対象外"),
    Rate.FAILED: Words(en="Failed", ja="解析失敗"),
    Rate.RELABELLED: Words(en="Relabelled, of reviewed", ja="緊急度の変更（確認済み症例中）"),
}

RULE = Words(
    en=(
        f"At the end of every week its cases are looked at, together with those of the weeks before it while"
        f" they are fewer than {alarm.FEWEST}; of fewer than {alarm.FEWEST} in {alarm.LONGEST} weeks nothing"
        f" is said. A distribution gives an alarm when its population stability index against the patients"
        f" the model was trained on is above {alarm.LARGE_SHIFT} and above what chance alone exceeds once in"
        f" {1 / alarm.LEVEL:.0f} looks. A rate gives an alarm when it is higher than in the {alarm.MEMORY}"
        f" weeks before and chance alone would make it so less than once in {1 / alarm.LEVEL:.0f} looks"
        f" (Fisher's exact test). Where nothing changes that is about one false alarm in three years."
    ),
    ja=(
        f"週が終わるごとにその週の症例を評価します。{alarm.FEWEST}例に満たない週は前の週と合わせ、"
        f"{alarm.LONGEST}週で{alarm.FEWEST}例に満たなければ評価しません。分布は、学習に用いた患者群に対する"
        f"母集団安定性指標（PSI）が{alarm.LARGE_SHIFT}を超え、かつ偶然では{1 / alarm.LEVEL:.0f}回に1回しか"
        f"超えない値も超えたときに警告します。割合は、それ以前の{alarm.MEMORY}週より高く、偶然にそうなる確率が"
        f"{1 / alarm.LEVEL:.0f}回に1回未満のとき（フィッシャーの正確確率検定）に警告します。"
        f"変化がない場合の誤警告は3年に1回程度です。"
    ),
)
"""False alarms as simulated in ``tests/orthanc_plugin/drift/test_alarm.py``: 0.33 a year at most."""


def shift_alarm(quantity: Quantity, model: str, weeks: str, shift: alarm.Shift) -> Words:
    """That a distribution is no longer that of the patients trained on."""
    figures = f"PSI {shift.index:.2f} > {shift.limit:.2f}"
    name = QUANTITIES[quantity]
    return Words(
        en=f"{name.en}: the {shift.cases} cases of {weeks} are unlike those that {model} was trained on"
        f" ({figures}).",
        ja=f"{name.ja}：{weeks}の{shift.cases}例は{model}の学習に用いた患者群と異なります（{figures}）。",
    )


def rise_alarm(rate: Rate, model: str | None, weeks: str, rise: alarm.Rise) -> Words:
    """That a rate is higher than it was."""
    name = RATES[rate]
    now, before = rise.count / rise.of, rise.count_before / rise.of_before
    of = f" ({model})" if model else ""
    of_ja = f"（{model}）" if model else ""
    return Words(
        en=f"{name.en}{of}: {rise.count} of {rise.of} cases of {weeks}, {now:.0%}; {before:.1%} before.",
        ja=f"{name.ja}{of_ja}：{weeks}は{rise.of}例中{rise.count}例（{now:.0%}）、それ以前は{before:.1%}。",
    )
