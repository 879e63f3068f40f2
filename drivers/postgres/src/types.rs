//! PostgreSQL's types: how each is read, and those that are the same on every server.

use montrs_driver_sdk::Kind;

/// How a value is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    Bool,
    Int2,
    Int4,
    Int8,
    Oid,
    Float4,
    Float8,
    Bytea,
    Date,
    Time,
    Timestamp,
    TimestampTz,
    Interval,
    Uuid,
    Jsonb,
    /// The text, which is the binary form too.
    Text(Kind),
    /// The text that the server prints; the binary form is something else.
    Printed(Kind),
}

/// How a column is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    One(Reader),
    /// An array, whose elements are separated by this character where it is printed.
    Array(Reader, u8),
}

/// A type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Type {
    pub(crate) name: Box<str>,
    pub(crate) form: Form,
}

impl Reader {
    /// The kind of the values.
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Bool => Kind::BOOL,
            Self::Int2 => Kind::I16,
            Self::Int4 => Kind::I32,
            Self::Int8 | Self::Oid => Kind::I64,
            Self::Float4 => Kind::F32,
            Self::Float8 => Kind::F64,
            Self::Bytea => Kind::BYTES,
            Self::Date => Kind::DATE,
            Self::Time => Kind::TIME,
            Self::Timestamp => Kind::TIMESTAMP,
            Self::TimestampTz => Kind::TIMESTAMP_TZ,
            Self::Interval => Kind::INTERVAL,
            Self::Uuid => Kind::UUID,
            Self::Jsonb => Kind::JSON,
            Self::Text(kind) | Self::Printed(kind) => kind,
        }
    }
}

impl Form {
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::One(reader) => reader.kind(),
            Self::Array(..) => Kind::ARRAY,
        }
    }

    /// Whether the binary form is asked for; where text is the same, text is simpler for the server.
    pub(crate) fn is_binary(self) -> bool {
        match self {
            Self::One(reader) => !matches!(reader, Reader::Text(_) | Reader::Printed(_)),
            Self::Array(reader, _) => !matches!(reader, Reader::Printed(_)),
        }
    }
}

/// What elements of nearly all arrays are separated by.
pub(crate) const COMMA: u8 = b',';

const TEXT: Reader = Reader::Text(Kind::TEXT);
/// No native form: the name of the type, and the text.
pub(crate) const OTHER: Reader = Reader::Printed(Kind::OTHER_TEXT);

/// Number, name, number of the array type or 0, reader; by number.
#[rustfmt::skip]
const BUILT_IN: &[(u32, &str, u32, Reader)] = &[
    (16, "bool", 1000, Reader::Bool),
    (17, "bytea", 1001, Reader::Bytea),
    (18, "char", 1002, TEXT),
    (19, "name", 1003, TEXT),
    (20, "int8", 1016, Reader::Int8),
    (21, "int2", 1005, Reader::Int2),
    (22, "int2vector", 1006, OTHER),
    (23, "int4", 1007, Reader::Int4),
    (24, "regproc", 1008, OTHER),
    (25, "text", 1009, TEXT),
    (26, "oid", 1028, Reader::Oid),
    (27, "tid", 1010, OTHER),
    (28, "xid", 1011, OTHER),
    (29, "cid", 1012, OTHER),
    (30, "oidvector", 1013, OTHER),
    (114, "json", 199, Reader::Text(Kind::JSON)),
    (142, "xml", 143, OTHER),
    (600, "point", 1017, OTHER),
    (601, "lseg", 1018, OTHER),
    (602, "path", 1019, OTHER),
    (603, "box", 1020, OTHER),
    (604, "polygon", 1027, OTHER),
    (628, "line", 629, OTHER),
    (650, "cidr", 651, OTHER),
    (700, "float4", 1021, Reader::Float4),
    (701, "float8", 1022, Reader::Float8),
    (705, "unknown", 0, TEXT),
    (718, "circle", 719, OTHER),
    (774, "macaddr8", 775, OTHER),
    (790, "money", 791, OTHER),
    (829, "macaddr", 1040, OTHER),
    (869, "inet", 1041, OTHER),
    (1033, "aclitem", 1034, OTHER),
    (1042, "bpchar", 1014, TEXT),
    (1043, "varchar", 1015, TEXT),
    (1082, "date", 1182, Reader::Date),
    (1083, "time", 1183, Reader::Time),
    (1114, "timestamp", 1115, Reader::Timestamp),
    (1184, "timestamptz", 1185, Reader::TimestampTz),
    (1186, "interval", 1187, Reader::Interval),
    (1266, "timetz", 1270, OTHER),
    (1560, "bit", 1561, OTHER),
    (1562, "varbit", 1563, OTHER),
    (1700, "numeric", 1231, Reader::Printed(Kind::DECIMAL)),
    (1790, "refcursor", 2201, TEXT),
    (2205, "regclass", 2210, OTHER),
    (2206, "regtype", 2211, OTHER),
    (2249, "record", 2287, OTHER),
    (2278, "void", 0, OTHER),
    (2950, "uuid", 2951, Reader::Uuid),
    (3220, "pg_lsn", 3221, OTHER),
    (3614, "tsvector", 3643, OTHER),
    (3615, "tsquery", 3645, OTHER),
    (3802, "jsonb", 3807, Reader::Jsonb),
    (3904, "int4range", 3905, OTHER),
    (3906, "numrange", 3907, OTHER),
    (3908, "tsrange", 3909, OTHER),
    (3910, "tstzrange", 3911, OTHER),
    (3912, "daterange", 3913, OTHER),
    (3926, "int8range", 3927, OTHER),
    (4072, "jsonpath", 4073, OTHER),
    (4089, "regnamespace", 4090, OTHER),
    (4096, "regrole", 4097, OTHER),
    (4451, "int4multirange", 6150, OTHER),
    (4532, "nummultirange", 6151, OTHER),
    (4533, "tsmultirange", 6152, OTHER),
    (4534, "tstzmultirange", 6153, OTHER),
    (4535, "datemultirange", 6155, OTHER),
    (4536, "int8multirange", 6157, OTHER),
    (5069, "xid8", 271, OTHER),
];

const BOX_ARRAY: u32 = 1020;

/// The numbers of types that parameters are written for.
pub(crate) mod oid {
    pub(crate) const BOOL: u32 = 16;
    pub(crate) const BYTEA: u32 = 17;
    pub(crate) const INT8: u32 = 20;
    pub(crate) const INT2: u32 = 21;
    pub(crate) const INT4: u32 = 23;
    pub(crate) const OID: u32 = 26;
    pub(crate) const FLOAT4: u32 = 700;
    pub(crate) const FLOAT8: u32 = 701;
    pub(crate) const DATE: u32 = 1082;
    pub(crate) const TIME: u32 = 1083;
    pub(crate) const TIMESTAMP: u32 = 1114;
    pub(crate) const TIMESTAMPTZ: u32 = 1184;
    pub(crate) const INTERVAL: u32 = 1186;
    pub(crate) const NUMERIC: u32 = 1700;
    pub(crate) const UUID: u32 = 2950;
}

/// Finds a type that is the same on every server.
pub(crate) fn built_in(oid: u32) -> Option<Type> {
    if let Some((name, reader)) = scalar(oid) {
        return Some(Type { name: name.into(), form: Form::One(reader) });
    }
    let (_, name, _, reader) = BUILT_IN.iter().find(|(_, _, array, _)| *array == oid && oid != 0)?;
    Some(Type { name: format!("{name}[]").into(), form: Form::Array(*reader, delimiter(oid)) })
}

/// How a type that is no array is read, when it is the same on every server.
pub(crate) fn scalar(oid: u32) -> Option<(&'static str, Reader)> {
    let index = BUILT_IN.binary_search_by_key(&oid, |(oid, ..)| *oid).ok()?;
    let (_, name, _, reader) = BUILT_IN[index];
    Some((name, reader))
}

/// What elements of this array type are separated by where they are printed.
pub(crate) fn delimiter(array: u32) -> u8 {
    // Of all types only `box` has another one.
    if array == BOX_ARRAY { b';' } else { COMMA }
}

/// The type of the elements of an array type that is the same on every server.
pub(crate) fn element(array: u32) -> Option<u32> {
    BUILT_IN.iter().find(|(_, _, oid, _)| *oid == array && array != 0).map(|(element, ..)| *element)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order() {
        assert!(BUILT_IN.is_sorted_by_key(|(oid, ..)| *oid));
    }

    #[test]
    fn types_and_their_arrays_are_found() {
        let int4 = Type { name: "int4".into(), form: Form::One(Reader::Int4) };
        assert_eq!(built_in(23), Some(int4));
        let boxes = Type { name: "box[]".into(), form: Form::Array(OTHER, b';') };
        assert_eq!(built_in(1020), Some(boxes));
        assert_eq!((built_in(0), built_in(16_384), element(0), element(1007)), (None, None, None, Some(23)));
    }
}
