"""What mouse and keys do, as a table in a window of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QDialog, QDialogButtonBox, QHeaderView, QTableWidget, QTableWidgetItem

from app.panels.parts import column

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

MOUSE = (
    ("add a particle", "click (step 2)"),
    ("select a particle or pick", "click it"),
    ("move it", "drag it"),
    ("remove a mark, reject a pick", "right-click it"),
    ("move the crosshair", "Shift-click, or drag with Shift"),
    ("next, previous section", "wheel"),
    ("zoom", "Ctrl + wheel, or drag with the right button"),
    ("pan", "drag where there is no particle"),
    ("choose the class to mark", "1 to 9"),
    ("give the selected one another class", "Ctrl+1 to Ctrl+9"),
)


def show_keys(window: QWidget) -> QDialog:
    """Open the table; it may stay open.

    Parameters
    ----------
    window : QWidget
        Whose menus it tells of.

    Returns
    -------
    QDialog
        The table.
    """
    menus = [action.menu() for action in window.menuBar().actions()]
    told = [
        (one.text().rstrip("…"), one.shortcut().toString()) for menu in menus for one in menu.actions() if not one.isSeparator()
    ]
    rows = [*MOUSE, *((what, keys) for what, keys in told if keys)]
    dialog = QDialog(window)
    dialog.setWindowTitle("Mouse and keys")
    dialog.resize(680, 600)
    table = QTableWidget(len(rows), 2)
    table.setHorizontalHeaderLabels(["what", "how"])
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(24)
    table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
    table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
    for place, row in enumerate(rows):
        for at, text in enumerate(row):
            table.setItem(place, at, QTableWidgetItem(text))
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.close)
    layout = column(dialog, margin=12)
    layout.addWidget(table)
    layout.addWidget(buttons)
    dialog.finished.connect(lambda _result: dialog.deleteLater())
    dialog.show()
    return dialog
