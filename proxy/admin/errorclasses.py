"""Kinds of errors, as an operator tells them apart: by whom to ask. Numbers are those of both vendors' manuals."""

from typing import Final

_CLASSES: Final = {
    "syntax": (1064, 1149, 1065),
    "denied": (1044, 1045, 1142, 1143, 1227, 1370, 1410, 1698, 3118),
    "unknown-object": (1046, 1049, 1051, 1054, 1109, 1146, 1305),
    "duplicate": (1062, 1586),
    "constraint": (1048, 1216, 1217, 1364, 1451, 1452, 3819, 4025),
    "data": (1264, 1265, 1292, 1366, 1406, 1690),
    "deadlock": (1213,),
    "lock-timeout": (1205, 3572),
    "interrupted": (1317, 1969, 3024),
    "read-only": (1290, 1792, 1836, 3100),
    "limit": (1040, 1041, 1114, 1153, 1203, 1226, 1461),
    "connection": (1053, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 2006, 2013),
}
_BY_NUMBER: Final = {number: name for name, numbers in _CLASSES.items() for number in numbers}


def error_class(errno: int) -> str:
    """The kind of a server's error."""
    return _BY_NUMBER.get(errno, "other")
