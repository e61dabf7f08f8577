"""Images out of a real Orthanc in Slicer's core: in place, counted as the server counts, values kept."""

import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from HeadCTTriageLib.images.geometry import stack as stack_of
from HeadCTTriageLib.server.client import TriageClient
from HeadCTTriageLib.server.connection import Server
from HeadCTTriageLib.server.download import download
from stack_process import StackProcess

from headct.generator.generation import Order, generate, write

sys.path.append(str(Path(__file__).parents[2] / "slicer_module"))


def test_a_tilted_bleed_is_opened_at_its_key_slices(stack: StackProcess, tmp_path: Path) -> None:
    application = pytest.importorskip("slicer_core_host", reason="Slicer's core is for Python 3.11 alone")
    itk = pytest.importorskip("SimpleITK")
    head = generate(
        "intracerebral", 7, salt="slicer", matrix=256, thickness_mm=7.0, tilt_deg=14.0, order=Order.SHUFFLED
    )
    files = write(head, tmp_path)
    stack.send(tmp_path)
    uid = str(head.header.series_uid)
    series_id = stack.wait_final([uid])[uid]["id"]
    client = TriageClient(Server(stack.url, stack.user, stack.password))
    seen: list[tuple[int, int]] = []
    images = download(client, series_id, on_progress=lambda *at: seen.append(at), cancelled=threading.Event())
    found = stack_of(images)
    assert seen[-1] == (len(files), len(files)) == (len(found.hu),) * 2
    assert not found.left_out and not found.warnings and found.to_world is not None
    by_uid = {}
    for file in files:
        image = itk.ReadImage(str(file))
        by_uid[image.GetMetaData("0008|0018").strip("\0 ")] = image
    for k, sop_instance_uid in enumerate(found.sop_instance_uids):
        image = by_uid[sop_instance_uid]
        np.testing.assert_array_equal(found.hu[k], itk.GetArrayFromImage(image)[0])
        there = np.array(image.TransformIndexToPhysicalPoint((255, 255, 0))) * [-1, -1, 1]
        assert np.abs((found.to_world @ found.ijk_to_ras @ [255, 255, k, 1])[:3] - there).max() < 1e-3
    assessment = client.series(series_id).assessment
    client.close()
    assert assessment is not None and assessment.key_slices
    with application.started():
        logic = application.module().HeadCTTriageLogic()
        logic.load(found)
        for key in assessment.key_slices:
            assert logic.jumpToSlice(key.sop_instance_uid)
            assert logic.currentSlice() == key.number
