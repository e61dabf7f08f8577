"""Stand-ins for the widgets that CTK and Slicer add to Qt's, with the properties that the module uses."""

from pathlib import Path

from PySide6.QtCore import Property, Qt, Signal
from PySide6.QtUiTools import QUiLoader
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)


class ctkCollapsibleButton(QWidget):
    """A heading that folds what is below it."""

    contentsCollapsed = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._heading = QToolButton(self)
        self._heading.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._heading.setStyleSheet("font-weight: bold; text-align: left; padding: 3px;")
        self._heading.clicked.connect(lambda: self._set_collapsed(not self._collapsed))
        self._collapsed = False
        self._arrange()

    def _get_text(self) -> str:
        return self._heading.text()

    def _set_text(self, text: str) -> None:
        self._heading.setText(text)

    def _get_collapsed(self) -> bool:
        return self._collapsed

    def _set_collapsed(self, collapsed: bool) -> None:
        if collapsed != self._collapsed:
            self._collapsed = collapsed
            self._arrange()
            self.contentsCollapsed.emit(collapsed)

    def _arrange(self) -> None:
        self._heading.setArrowType(Qt.ArrowType.RightArrow if self._collapsed else Qt.ArrowType.DownArrow)
        for child in self._contents():
            # What a child hides itself stays hidden.
            if self._collapsed and not child.isHidden():
                child.setProperty("folded", True)
                child.hide()
            elif not self._collapsed and child.property("folded"):
                child.setProperty("folded", False)
                child.show()
        height = self._heading.sizeHint().height()
        self.setContentsMargins(0, height, 0, 0)
        self.setMaximumHeight(height if self._collapsed else 16777215)
        self._heading.setGeometry(0, 0, max(self.width(), 200), height)
        self.updateGeometry()

    def _contents(self) -> list[QWidget]:
        return [c for c in self.children() if isinstance(c, QWidget) and c is not self._heading]

    def resizeEvent(self, event: object) -> None:
        self._heading.setFixedWidth(self.width())

    def showEvent(self, event: object) -> None:
        self._arrange()

    def childEvent(self, event: object) -> None:
        super().childEvent(event)

    text = Property(str, _get_text, _set_text)
    collapsed = Property(bool, _get_collapsed, _set_collapsed, notify=contentsCollapsed)


class ctkPathLineEdit(QWidget):
    """A line for a path, and a button to choose it."""

    currentPathChanged = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._line, button = QLineEdit(self), QToolButton(self)
        button.setText("...")
        button.clicked.connect(self._browse)
        self._line.textChanged.connect(self.currentPathChanged)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._line)
        layout.addWidget(button)

    def _browse(self) -> None:
        path, _kind = QFileDialog.getOpenFileName(self)
        if path:
            self._line.setText(path)

    currentPath = Property(
        str,
        lambda self: self._line.text(),
        lambda self, path: self._line.setText(str(Path(path)) if path else ""),
    )


class ctkSliderWidget(QWidget):
    """A slider of decimal numbers."""

    valueChanged = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._slider = QSlider(Qt.Orientation.Horizontal, self)
        self._step, self._maximum = 0.01, 1.0
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider)
        self._arrange()
        self._slider.valueChanged.connect(lambda number: self.valueChanged.emit(number * self._step))

    def _arrange(self) -> None:
        self._slider.setRange(0, round(self._maximum / self._step))

    def _set_step(self, step: float) -> None:
        self._step = step
        self._arrange()

    def _set_maximum(self, maximum: float) -> None:
        self._maximum = maximum
        self._arrange()

    singleStep = Property(float, lambda self: self._step, _set_step)
    maximum = Property(float, lambda self: self._maximum, _set_maximum)
    value = Property(
        float,
        lambda self: self._slider.value() * self._step,
        lambda self, value: self._slider.setValue(round(value / self._step)),
        notify=valueChanged,
    )


class qMRMLWidget(QWidget):
    """A widget that is told the scene."""

    def setMRMLScene(self, scene: object) -> None:
        """Slicer hands the scene down to widgets of nodes; there are none here."""


STAND_INS = (ctkCollapsibleButton, ctkPathLineEdit, ctkSliderWidget, qMRMLWidget)


class Loader(QUiLoader):
    """Reads .ui files with the stand-ins in the place of CTK's and Slicer's widgets."""

    def __init__(self) -> None:
        super().__init__()
        for kind in STAND_INS:
            self.registerCustomWidget(kind)
