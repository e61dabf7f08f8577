"""A Qt window around the module for 3D Slicer, where the full application is not.

Real here: Qt itself (PySide6), the MRML scene, VTK and ``slicer.util`` (``slicer-core``), the module's own
code and its ``.ui`` file. Stand-ins:

- ``qt``: PySide6 under PythonQt's rules. Properties are attributes, and only Qt's own classes have names;
  PySide6's signals, slots and decorators have none. Types are converted as PySide6 does it, and what PythonQt
  does not wrap is there all the same.
- ``ctk`` and ``slicer.qMRMLWidget``: widgets of the same names with those properties and signals that the
  module's ``.ui`` file and code use. They do not look like CTK's.
- ``slicer.app``: settings, translation, application logic and a layout of three slice views. A view is a real
  ``vtkMRMLSliceLogic`` whose image is painted as a pixmap: no mouse in it, no three-dimensional view, no
  overlay of segmentations, which the views' displayable managers draw.
- Slicer's own Python parts: ``slicer_stand_ins``.

The event loop is Qt's own. It lets Python's threads run while it waits, which Slicer's does not:
:func:`hold_the_lock` makes up for that.
"""

from qt_host.application import Host, start
from qt_host.event_loop import hold_the_lock, longest_gap, rounds, run_until, turn

__all__ = ["Host", "hold_the_lock", "longest_gap", "rounds", "run_until", "start", "turn"]
