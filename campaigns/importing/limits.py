"""How large a contact file may be. Beyond these a file is refused with a sentence instead of exhausting the machine."""

from __future__ import annotations

MAX_FILE_BYTES = 200 * 1024 * 1024
MAX_ROWS = 2_000_000
MAX_COLUMNS = 200
#: One line of a text file. Excel's own limit is 32,767 characters in a cell.
MAX_LINE_CHARACTERS = 500_000
#: One row of a text file may run over several lines (quoted line breaks), but an unclosed quote must not eat the file.
MAX_LINES_PER_ROW = 25
#: What the parts of an .xlsx or .ods file (a zip archive) may unpack to, all together and each against its packed size.
MAX_UNPACKED_BYTES = 500 * 1024 * 1024
MAX_UNPACKED_RATIO = 200
#: Only suspicious above this size: a small file of equal cells packs very well.
MIN_SUSPICIOUS_BYTES = 20 * 1024 * 1024
#: The texts of an .xlsx file, which are in memory all at once. An .xls file is in memory as a whole.
MAX_TEXTS_BYTES = 120 * 1024 * 1024
MAX_OLD_EXCEL_BYTES = 60 * 1024 * 1024
