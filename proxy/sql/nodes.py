"""The node types of sqlglot's tree that a plain read may be made of.

An allow-list by class name: names, because each sqlglot release adds classes, and a class this list has not heard of
must send the statement to the primary. What a function is called is checked on the text (`proxy.sql.reads`), because
one class can stand for functions that MySQL does not have and a user may have defined.
"""

from typing import Final

_QUERY: Final = """
    Select Union Except Intersect SetOperation Subquery With CTE Values Tuple Table TableAlias Column Identifier Star
    From Where Group Having Qualify Order Ordered Limit Offset Fetch Distinct Join Lateral Alias Aliases Paren
    Literal Null Boolean Placeholder Var Dot Hint Partition IndexTableHint Exists In Any All Between Is Like ILike
    LikeEscape Escape RegexpLike RegexpILike Not And Or Xor Neg EQ NEQ GT GTE LT LTE NullSafeEQ NullSafeNEQ Add Sub Mul
    Div IntDiv Mod BitwiseAnd BitwiseOr BitwiseXor BitwiseNot BitwiseLeftShift BitwiseRightShift DPipe Collate Case If
    Cast TryCast DataType DataTypeParam CharacterSet CharacterSetProperty HexString BitString National Introducer
    RawString UnicodeString ByteString Interval IntervalSpan IntervalOp AtTimeZone Window WindowSpec WithinGroup
    MatchAgainst SessionParameter Parameter Version JSONExtract JSONExtractScalar JSONBExtract JSONPath JSONPathKey
    JSONPathRoot JSONPathSubscript JSONPathWildcard JSONPathRecursive JSONKeyValue JSONTable JSONSchema JSONColumnDef
    Anonymous ParameterizedAgg Extract Rollup Cube QueryOption
"""
_FUNCTIONS: Final = """
    Abs Acos AnyValue Ascii Asin Atan Atan2 Avg BitLength BitwiseAndAgg BitwiseCount BitwiseOrAgg BitwiseXorAgg
    CastToStrType Ceil Chr Coalesce Collation Compress Concat ConcatWs ConvertTimezone Cos Cot Count CumeDist
    CurrentDate CurrentRole CurrentSchema CurrentTime CurrentTimestamp CurrentUser CurrentVersion Date DateAdd DateDiff
    DateSub Day DayOfMonth DayOfWeek DayOfYear Dayname Decode DecodeCase Degrees DenseRank Elt Encode Exp FirstValue
    Floor FromBase64 Greatest GroupConcat Grouping Hex Hour JSONArray JSONArrayAgg JSONArrayAppend JSONArrayContains
    JSONArrayInsert JSONContains JSONKeys JSONObject JSONObjectAgg JSONRemove JSONSet JSONType JSONValue Lag LastDay
    LastValue Lead Least Left Length Ln Localtime Localtimestamp Log Lower MD5 Max Median Min Minute Month Monthname
    NthValue Ntile Nullif NumberToStr Nvl2 Pad PercentRank Pi Pow Quarter Radians Rand Rank RegexpInstr RegexpReplace
    RegexpSubstr Repeat Replace Reverse Right Round RowNumber SHA SHA1 SHA2 Second SessionUser Sign Sin Soundex Space
    Sqrt StDistance Stddev StddevPop StddevSamp StrPosition StrToDate Stuff Substring SubstringIndex Sum Tan Time
    TimeFromParts TimeToStr Timestamp TimestampAdd TimestampDiff TimestampSub ToBase64 ToChar Trim Trunc TsOrDsAdd
    TsOrDsDiff TsOrDsToDate TsOrDsToTimestamp Unhex UnixToTime Upper UtcDate UtcTime UtcTimestamp Uuid Variance
    VariancePop Week WeekOfYear WeightString Year
"""

READ_NODES: Final = frozenset((_QUERY + _FUNCTIONS).split())
READ_ROOTS: Final = frozenset(["Select", "Union", "Except", "Intersect", "Subquery", "Values"])
