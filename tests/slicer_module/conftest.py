"""Helpers of these tests, also for the end-to-end tests of the module."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
