"""An Orthanc that is a dictionary, and who follows it."""

from pathlib import Path

import pytest
from orthanc_listing import Listing
from store_samples import settings

from orthanc_plugin.intake.arrivals import Arrivals
from orthanc_plugin.store.clock import ClockWatch
from orthanc_plugin.store.database import Database


@pytest.fixture
def listing() -> Listing:
    return Listing()


@pytest.fixture
def arrivals(listing: Listing, database: Database, tmp_path: Path) -> Arrivals:
    options = settings(tmp_path, minimum_free_gigabytes=0.1)
    return Arrivals(listing.get, database, options, ClockWatch(database, options))
