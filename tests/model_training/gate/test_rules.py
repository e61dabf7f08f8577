import pytest

from headct.errors import SettingsError
from model_training.gate.rules import Rules, WhenUnsure


def test_a_file_changes_what_it_names_and_nothing_else(tmp_path):
    path = tmp_path / "margins.toml"
    path.write_text('[endpoints.auc]\nwhen_unsure = "block"\n')
    rules, shipped = Rules.read(path), Rules.read()
    assert rules.endpoints["auc"].when_unsure is WhenUnsure.BLOCK
    assert rules.endpoints["auc"].margin == shipped.endpoints["auc"].margin
    assert {**rules.endpoints, "auc": None} == {**shipped.endpoints, "auc": None}
    assert rules.limits == shipped.limits


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[endpoints.dice]\nmargin = 0.1", "endpoints.dice is not known"),
        ("[endpoints.auc]\nwidth = 0.1", "endpoints.auc.width is not known"),
        ("[endpoints.auc]\nmargin = 0", "auc.margin cannot be 0"),
        ("[endpoints.auc]\nmargin = 1.0", "auc.margin cannot be 1.0"),
        ("[endpoints.auc]\nmargin = true", "auc.margin cannot be True"),
        ('[endpoints.auc]\nmargin = "wide"', "auc.margin cannot be 'wide'"),
        ('[endpoints.auc]\nwhen_unsure = "pray"', "auc.when_unsure is one of warn, block_if_seen, block"),
        ("endpoints = 3", "endpoints is of the wrong kind"),
        ("[confidence]\nof = 1", "confidence is of the wrong kind"),
        ("confidence = 0.3", "confidence cannot be 0.3"),
        ("churn = nan", "churn cannot be nan"),
        ("limits.megabytes = -1", "limits.megabytes cannot be -1"),
        ("this is no TOML", "cannot be read"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, text, says):
    path = tmp_path / "margins.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as raised:
        Rules.read(path)
    assert says in str(raised.value)


def test_every_margin_that_ships_says_why():
    assert all(margin.why and 0 < margin.margin < 0.5 for margin in Rules.read().endpoints.values())
