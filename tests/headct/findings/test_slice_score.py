import numpy as np

from headct.findings.slice_score import SUSPECT_PIXELS, slice_scores


def maps(*patches: tuple[int, float]) -> np.ndarray:
    """A slice a patch: side and probability, the rest hardly suspicious."""
    made = np.full((len(patches), 64, 64), 1e-4, np.float32)
    for one, (side, probability) in zip(made, patches, strict=True):
        one[20 : 20 + side, 20 : 20 + side] = probability
    return made


def test_more_and_surer_blood_scores_higher_and_a_pixel_alone_hardly_counts():
    nothing, pixel, weak, small, large = slice_scores(maps((0, 0), (1, 0.99), (8, 0.3), (8, 0.9), (20, 0.9)))
    assert nothing < pixel < weak < small <= large
    assert pixel - nothing < 0.5 * (weak - nothing)


def test_a_score_is_of_its_slice_alone_and_finite_at_the_ends():
    every = maps((0, 0), (30, 1.0), (8, 0.5))
    every[0] = 0
    scores = slice_scores(every)
    assert np.isfinite(scores).all()
    assert np.allclose(scores, [slice_scores(one[None])[0] for one in every])
    assert SUSPECT_PIXELS < 30 * 30 and scores[1] > 15
