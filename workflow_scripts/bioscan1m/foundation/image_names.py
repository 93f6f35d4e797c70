"""Which files of a folder, and which members of a zip, are photographs: one rule for both, by their names.

Whatever is not known to be something else counts as a photograph, so that none is passed over: a file that then cannot
be read is listed in the quarantine with its reason.
"""

from __future__ import annotations

from pathlib import PurePosixPath

# What file managers and network storage leave behind.
CLUTTER_FOLDERS = {"__macosx", "@eadir", "$recycle.bin", "#recycle", "system volume information", "lost+found"}
CLUTTER = {"thumbs.db", "thumbs.db:encryptable", "ehthumbs.db", "desktop.ini", "icon\r", "zbthumbnail.info"}
# What lies beside photographs and describes them, or is a text, a table, a film, a program or an archive.
OTHER_SUFFIXES = {
    *(".xmp", ".json", ".txt", ".xml", ".csv", ".tsv", ".md", ".html", ".htm", ".ini", ".db", ".thm", ".aae", ".log"),
    *(".doc", ".docx", ".odt", ".rtf", ".xls", ".xlsx", ".ods", ".ppt", ".pptx", ".yaml", ".yml", ".toml", ".lnk"),
    *(".mp4", ".mov", ".avi", ".mkv", ".wav", ".mp3", ".zip", ".gz", ".7z", ".rar", ".tar", ".py", ".r", ".sh", ".exe"),
    *(".gpx", ".kml", ".kmz", ".url", ".webloc", ".identifier", ".ctg", ".jbf", ".sqlite", ".rdata", ".rds", ".rmd"),
    *(".mts", ".m2ts", ".3gp", ".webm", ".wmv", ".m4a", ".bz2", ".xz", ".tgz", ".bat", ".dll", ".js", ".css", ".tex"),
    *(".cpi", ".cos", ".dop", ".pp3", ".on1", ".lrcat", ".md5", ".sha256"),
}


def is_photograph(name: str) -> bool:
    """Whether a file or a member of a zip counts as a photograph; `name` is its path below the folder or in the zip."""
    path = PurePosixPath(name.replace("\\", "/"))
    parts = [part.lower() for part in path.parts if part not in (".", "..", "/")]
    if not parts or any(part.startswith(".") for part in parts) or CLUTTER_FOLDERS.intersection(parts):
        return False
    return parts[-1] not in CLUTTER and path.suffix.lower() not in OTHER_SUFFIXES
