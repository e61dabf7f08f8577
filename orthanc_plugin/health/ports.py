"""Which ports are open to machines that have no business there, in words."""

from headct.language import Phrase, _
from orthanc_plugin.settings import OpenPort


def sentence(port: OpenPort) -> Phrase:
    """Who can connect, and what becomes of what they ask for."""
    if port.kind == "HTTP":
        return _(
            "Every machine on the network can connect to port {port} (HTTP of Orthanc itself), which refuses "
            "what others than this machine ask for.",
            port=port.port,
        )
    if port.senders:
        return _(
            "Every machine on the network can connect to port {port} (DICOM), which takes images from "
            "{senders} only.",
            port=port.port,
            senders=", ".join(port.senders),
        )
    return _(
        "Every machine on the network can connect to port {port} (DICOM), which takes images from this "
        "machine only.",
        port=port.port,
    )
