"""Made-up patients, named in the writing systems of the hospitals that will use this."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

import numpy as np


class CharacterSet(StrEnum):
    """Specific Character Set (0008,0005), PS3.3 C.12.1.1.2: the values met in Japan and China."""

    NONE = ""
    ISO_IR_13 = "ISO_IR 13"
    IR13_IR87 = "ISO 2022 IR 13\\ISO 2022 IR 87"
    IR6_IR87 = "\\ISO 2022 IR 87"
    UTF8 = "ISO_IR 192"
    GB18030 = "GB18030"


# Roman letters, half-width katakana, ideographs, hiragana.
_NAMES = (
    ("Yamada^Tarou", "ﾔﾏﾀﾞ^ﾀﾛｳ", "山田^太郎", "やまだ^たろう"),
    ("Satou^Hanako", "ｻﾄｳ^ﾊﾅｺ", "佐藤^花子", "さとう^はなこ"),
    ("Suzuki^Ichirou", "ｽｽﾞｷ^ｲﾁﾛｳ", "鈴木^一郎", "すずき^いちろう"),
    ("Takahashi^Misaki", "ﾀｶﾊｼ^ﾐｻｷ", "高橋^美咲", "たかはし^みさき"),
    ("Tanaka^Kenji", "ﾀﾅｶ^ｹﾝｼﾞ", "田中^健二", "たなか^けんじ"),
    ("Itou^Sakura", "ｲﾄｳ^ｻｸﾗ", "伊藤^桜", "いとう^さくら"),
    ("Watanabe^Makoto", "ﾜﾀﾅﾍﾞ^ﾏｺﾄ", "渡辺^誠", "わたなべ^まこと"),
    ("Kobayashi^Yuki", "ｺﾊﾞﾔｼ^ﾕｷ", "小林^雪", "こばやし^ゆき"),
    ("Nakamura^Osamu", "ﾅｶﾑﾗ^ｵｻﾑ", "中村^修", "なかむら^おさむ"),
    ("Katou^Aoi", "ｶﾄｳ^ｱｵｲ", "加藤^葵", "かとう^あおい"),
    ("Yoshida^Minoru", "ﾖｼﾀﾞ^ﾐﾉﾙ", "吉田^実", "よしだ^みのる"),
    ("Mori^Chiyo", "ﾓﾘ^ﾁﾖ", "森^千代", "もり^ちよ"),
)


def derived_uid(*parts: object) -> str:
    """A UID that is the same for the same parts: 2.25 and 128 bits of a hash (PS3.5 B.2)."""
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


@dataclass(frozen=True, slots=True)
class Patient:
    """Who is in the scanner."""

    number: int
    """Chooses the name; PatientID derives from it and the salt."""
    age_years: float
    sex: str
    salt: str = ""

    @staticmethod
    def drawn(seed: int, age_years: float, salt: str = "") -> "Patient":
        """A patient of that age; the same seed and salt give the same one."""
        rng = np.random.default_rng([seed, 3])
        return Patient(seed, age_years, "FM"[int(rng.integers(2))], salt)

    @property
    def identifier(self) -> str:
        """Patient ID (0010,0020)."""
        return "GEN" + hashlib.sha256(f"{self.salt}\0{self.number}".encode()).hexdigest()[:8].upper()

    def name(self, charset: CharacterSet) -> str:
        """Patient's name in the component groups that the character set can carry."""
        roman, half, ideographs, kana = _NAMES[self.number % len(_NAMES)]
        match charset:
            case CharacterSet.NONE:
                return roman
            case CharacterSet.ISO_IR_13:
                return half
            case CharacterSet.IR13_IR87:
                return f"{half}={ideographs}={kana}"
            case _:
                return f"{roman}={ideographs}={kana}"
