import pytest

from headct.errors import SettingsError
from model_training.config import TrainingConfig


def test_defaults_are_whole_and_a_file_changes_what_it_names(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text("epochs = 3\n[augmentation]\ngain = 0.0\n")
    default, changed = TrainingConfig.read(), TrainingConfig.read(path)
    assert changed.epochs == 3 and changed.augmentation.gain == 0
    assert changed.widths == default.widths
    assert changed.augmentation.offset_hu == default.augmentation.offset_hu


@pytest.mark.parametrize("text", ["epoch = 3", "[augmentation]\nblur = 1", "epochs = ", ""])
def test_unknown_and_broken_settings_are_refused(tmp_path, text):
    path = tmp_path / "c.toml"
    path.write_text(text)
    if text:
        with pytest.raises(SettingsError):
            TrainingConfig.read(path)
    else:
        assert TrainingConfig.read(path) == TrainingConfig.read()
