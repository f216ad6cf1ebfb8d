"""Which character set a collation number of the handshake belongs to. Source: information_schema of both servers."""

from typing import Final

BINARY: Final = 63
UTF8MB4: Final = 45
_IDS: Final[dict[str, tuple[int, ...]]] = {
    "armscii8": (32, 64),
    "ascii": (11, 65),
    "big5": (1, 84),
    "binary": (63,),
    "cp1250": (26, 34, 44, 66, 99),
    "cp1251": (14, 23, 50, 51, 52),
    "cp1256": (57, 67),
    "cp1257": (29, 58, 59),
    "cp850": (4, 80),
    "cp852": (40, 81),
    "cp866": (36, 68),
    "cp932": (95, 96),
    "dec8": (3, 69),
    "eucjpms": (97, 98),
    "euckr": (19, 85),
    "gb18030": (248, 249, 250),
    "gb2312": (24, 86),
    "gbk": (28, 87),
    "geostd8": (92, 93),
    "greek": (25, 70),
    "hebrew": (16, 71),
    "hp8": (6, 72),
    "keybcs2": (37, 73),
    "koi8r": (7, 74),
    "koi8u": (22, 75),
    "latin1": (5, 8, 15, 31, 47, 48, 49, 94),
    "latin2": (2, 9, 21, 27, 77),
    "latin5": (30, 78),
    "latin7": (20, 41, 42, 79),
    "macce": (38, 43),
    "macroman": (39, 53),
    "sjis": (13, 88),
    "swe7": (10, 82),
    "tis620": (18, 89),
    "ujis": (12, 91),
    "utf8mb3": (33, 76, 83, *range(192, 216), 223),
    "utf8mb4": (45, 46, *range(224, 248), *range(255, 324)),
}
_CHARSETS: Final = {collation: charset for charset, ids in _IDS.items() for collation in ids}


def charset_of(collation_id: int) -> str:
    """The character set of a collation; empty for a number that is not known, which servers take for their default."""
    return _CHARSETS.get(collation_id, "")


def collation_of(charset: str) -> int:
    """A collation of a character set; 0 for one that is not known."""
    name = charset.lower()
    # `utf8` is what older versions of both vendors call it.
    return _IDS.get("utf8mb3" if name == "utf8" else name, (0,))[0]
