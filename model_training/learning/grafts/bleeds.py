"""Bleeds, and how often each is drawn."""

import numpy as np
from scipy import ndimage

from model_training.learning.grafts.head import Array, Graft, Head, Kind
from model_training.learning.grafts.shapes import collection, fade, log_uniform, texture


def subarachnoid(head: Head, random: np.random.Generator) -> Graft | None:
    """Blood in cisterns and sulci over part of the surface, replacing the fluid there."""
    fluid = np.clip((head.brain_hu - 6 - head.tissue_hu) / 8, 0, 1) * head.inside
    fluid *= head.depth_mm < random.uniform(20, 45)
    at = head.point(random, fluid[head.middle] > 0.4)
    if at is None:
        return None
    reach = log_uniform(random, 6, 50)
    near = fade(head.distance_mm(at, flat=random.uniform(0.3, 1.0)) - reach, 6.0)
    share: Array = fluid * near * np.clip(texture(head, random, 10.0) + random.uniform(0.2, 1.0), 0, 1)
    return Graft(share * random.uniform(0.6, 1.0), random.uniform(45, 72))


def intraventricular(head: Head, random: np.random.Generator) -> Graft | None:
    """Blood in the ventricles: layering at the back with a level, or a cast."""
    fluid = np.clip((head.brain_hu - 12 - head.tissue_hu) / 6, 0, 1) * (head.depth_mm > 20)
    if (fluid[head.middle] > 0.5).sum() < 12:
        return None
    labels, _ = ndimage.label(fluid > 0.5)
    share = np.zeros_like(fluid)
    cast = random.random() < 0.25
    filled = random.uniform(0.1, 0.6)
    rows = np.arange(fluid.shape[1], dtype=np.float32)[None, :, None]
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        own = labels[box] == label
        if own.sum() < 40 or random.random() < 0.25:
            continue
        top, bottom = box[1].start, box[1].stop
        level = bottom - (bottom - top) * filled
        under = 1.0 if cast else np.clip(rows - level, 0, 1)
        share = np.maximum(share, fluid * (labels == label) * under).astype(np.float32)
    return Graft(share, random.uniform(50, 75)) if (share[head.middle] > 0.5).sum() >= 6 else None


def intracerebral(head: Head, random: np.random.Generator) -> Graft | None:
    """A clot in the brain with oedema, pushing its surroundings away."""
    radius = log_uniform(random, 2.5, 24)
    at = head.point(random, head.depth_mm[head.middle] > min(0.8 * radius + 2, 30))
    if at is None:
        return None
    distance = head.distance_mm(at, random.uniform(0.7, 1.3), random.uniform(-0.6, 0.6) * radius)
    edge = distance * (1 + np.clip(0.25 * texture(head, random, 6.0), -0.4, 0.6)) - radius
    share = fade(edge, 1.2)
    halo = random.uniform(0, 9) * fade(edge - random.uniform(2, 8), 3.0) * (1 - share)
    push = random.uniform(0.1, 0.45) * radius * np.exp(-np.maximum(edge, 0) / (1.2 * radius + 4))
    density = random.uniform(52, 78) + 6 * texture(head, random, 3.0)
    return Graft(share, density.astype(np.float32), push.astype(np.float32), at, halo)


def contusion(head: Head, random: np.random.Generator) -> Graft | None:
    """Patchy blood and oedema in the cortex."""
    at = head.point(random, (head.depth_mm[head.middle] > 2) & (head.depth_mm[head.middle] < 18))
    if at is None:
        return None
    radius = log_uniform(random, 3, 18)
    near = fade(head.distance_mm(at, 1.0, random.uniform(-0.5, 0.5) * radius) - radius, 3.0)
    grain = texture(head, random, random.uniform(2.0, 4.0))
    patches = np.clip(2.5 * (grain - random.uniform(0.0, 0.4)), 0, 1)
    return Graft(near * patches, random.uniform(48, 70), halo=near * random.uniform(2, 9))


def epidural(head: Head, random: np.random.Generator) -> Graft | None:
    """A lens at the inner table."""
    wide = log_uniform(random, 6, 38)
    return collection(head, random, (wide, random.uniform(0.12, 0.5) * wide), 2.0, random.uniform(52, 76))


def subdural(head: Head, random: np.random.Generator) -> Graft | None:
    """A crescent along the inner table, often of mixed density."""
    size_mm = log_uniform(random, 25, 90), log_uniform(random, 1.5, 12)
    return collection(head, random, size_mm, 4.0, random.uniform(46, 72))


BLEEDS: dict[Kind, float] = {
    subarachnoid: 0.22,
    intraventricular: 0.2,
    intracerebral: 0.2,
    contusion: 0.12,
    epidural: 0.13,
    subdural: 0.13,
}
