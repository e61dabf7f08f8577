"""Where the real head CTs lie; absent on most machines, and then the tests that need them skip."""

import os
from pathlib import Path

import pytest
from places import ROOT

SHARED = Path(os.environ.get("HEADCT_SHARED_DATA", ROOT.parent / "shared" / "data"))
needs_shared_data = pytest.mark.skipif(not SHARED.is_dir(), reason="real head CTs (shared/data) are not here")
