import pytest

from headct.errors import SettingsError
from model_training.learning.config import TrainingConfig


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


def test_files_go_one_over_the_other_and_what_is_written_is_read_back(tmp_path):
    first, second, whole = (tmp_path / f"{name}.toml" for name in ("first", "second", "whole"))
    first.write_text("epochs = 3\nlearning_rate = 1e-5\n[sampling]\nbloody = 0.5\n")
    second.write_text('epochs = 4\nseeds = [8]\nprecision = "float32"\n[augmentation]\nwindow = [64, 32]\n')
    config = TrainingConfig.read(first, None, second)
    assert (config.epochs, config.learning_rate, config.sampling.bloody) == (4, 1e-5, 0.5)
    config.write(whole)
    assert TrainingConfig.read(whole) == config
