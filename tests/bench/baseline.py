"""The research project's way: 8 slices, 256 x 256, AlexNet of 58 million parameters, Keras ``predict``.

``make MODEL`` writes untrained weights (time does not depend on them); ``judge MODEL FOLDER N`` reads and
judges N times and prints the medians of all but the first as JSON.
"""

import json
import os
import statistics
import sys
import time
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import pydicom
from PIL import Image


def read(folder: Path) -> np.ndarray:
    """Eight equally spaced slices as 8-bit pictures, shape (8, 256, 256, 1), brain window."""
    headers = [pydicom.dcmread(f, stop_before_pixels=True) for f in sorted(folder.iterdir())]
    order = np.argsort([float(h.ImagePositionPatient[2]) for h in headers])
    pictures = []
    for i in order[np.linspace(0, len(order) - 1, 8).round().astype(int)]:
        ds = pydicom.dcmread(headers[i].filename)
        hu = ds.pixel_array * float(ds.RescaleSlope) + float(ds.RescaleIntercept)
        grey = (np.clip(hu / 80, 0, 1) * 255).astype(np.uint8)
        pictures.append(np.asarray(Image.fromarray(grey).resize((256, 256))))
    return np.stack(pictures)[..., None].astype(np.float32)


def main() -> None:
    """Run one of the two commands."""
    model_file = Path(sys.argv[2])
    if sys.argv[1] == "make":
        from model_training.learning.networks.alexnet import alexnet

        alexnet().save(model_file)
        return
    model = keras.models.load_model(model_file)
    folder, repeats = Path(sys.argv[3]), int(sys.argv[4])
    reading, judging = [], []
    for _ in range(repeats):
        start = time.perf_counter()
        pictures = read(folder)
        reading.append(time.perf_counter() - start)
        start = time.perf_counter()
        model.predict(pictures, verbose=0)
        judging.append(time.perf_counter() - start)
    reading, judging = reading[1:] or reading, judging[1:] or judging
    total = [r + j for r, j in zip(reading, judging, strict=True)]
    medians = {"read": reading, "judge": judging, "warm": total}
    print(json.dumps({name: statistics.median(values) for name, values in medians.items()}))


if __name__ == "__main__":
    main()
