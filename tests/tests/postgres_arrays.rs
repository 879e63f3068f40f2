//! PostgreSQL's arrays, in both directions.

mod postgres;
#[path = "postgres/values.rs"]
mod values;

use montrs_orm::{Timestamp, Value};
use postgres::open;
use uuid::Uuid;
use values::{array, check, decimal, other};

#[tokio::test]
async fn arrays_of_every_type_are_read_and_sent() {
    let db = open("every_array").await;
    for sql in [
        "CREATE TYPE mood AS ENUM ('sad', 'so happy')",
        "CREATE TYPE pair AS (a int4, b text)",
        "CREATE DOMAIN age AS int4",
        "CREATE TYPE span AS RANGE (subtype = float8)",
    ] {
        db.execute(sql).await.unwrap();
    }
    let (second, infinity) =
        (Timestamp { seconds: 1, nanoseconds: 0 }, Timestamp { seconds: i64::MAX, nanoseconds: 0 });
    let some = |n: i32| Value::I32(n);
    let text = |text: &str| Value::Text(text.into());
    for (type_name, literal, value) in [
        ("int4[]", "{1,NULL,3}", array(&[(3, 1)], &[some(1), Value::Null, some(3)])),
        ("int4[]", "{}", array(&[], &[])),
        ("int4[]", "[0:1][-1:0]={{1,2},{3,4}}", array(&[(2, 0), (2, -1)], &[some(1), some(2), some(3), some(4)])),
        (
            "text[]",
            "{\"a b\",NULL,\"NULL\",\"\"}",
            array(&[(4, 1)], &[text("a b"), Value::Null, text("NULL"), text("")]),
        ),
        ("numeric[]", "{1.50,NaN,NULL}", array(&[(3, 1)], &[decimal("1.50"), decimal("NaN"), Value::Null])),
        ("bool[]", "{t,f}", array(&[(2, 1)], &[Value::Bool(true), Value::Bool(false)])),
        ("float8[]", "{-0.5}", array(&[(1, 1)], &[Value::F64(-0.5)])),
        ("bytea[]", "{\"\\\\x00ff\"}", array(&[(1, 1)], &[Value::Bytes(vec![0, 255])])),
        ("date[]", "{2024-02-29}", array(&[(1, 1)], &[Value::Date(19_782)])),
        (
            "uuid[]",
            "{00000000-0000-0000-0000-000000000001}",
            array(&[(1, 1)], &[Value::Uuid(*Uuid::from_u128(1).as_bytes())]),
        ),
        ("jsonb[]", "{\"[1, 2]\"}", array(&[(1, 1)], &[Value::Json("[1, 2]".into())])),
        ("inet[]", "{10.0.0.1,::1}", array(&[(2, 1)], &[other("10.0.0.1"), other("::1")])),
        ("mood[]", "{sad,\"so happy\"}", array(&[(2, 1)], &[text("sad"), text("so happy")])),
        ("box[]", "{(3,4),(1,2);(1,1),(0,0)}", array(&[(2, 1)], &[other("(3,4),(1,2)"), other("(1,1),(0,0)")])),
        ("int2[]", "{-1,2}", array(&[(2, 1)], &[Value::I16(-1), Value::I16(2)])),
        ("int8[]", "{9223372036854775807}", array(&[(1, 1)], &[Value::I64(i64::MAX)])),
        ("oid[]", "{4294967295}", array(&[(1, 1)], &[Value::I64(4_294_967_295)])),
        ("float4[]", "{0.5,NULL}", array(&[(2, 1)], &[Value::F32(0.5), Value::Null])),
        ("varchar[]", "{a,\"b,c\"}", array(&[(2, 1)], &[text("a"), text("b,c")])),
        ("char(2)[]", "{\"a \"}", array(&[(1, 1)], &[text("a ")])),
        ("name[]", "{pg_class}", array(&[(1, 1)], &[text("pg_class")])),
        ("json[]", "{\"{\\\"a\\\": 1.00}\"}", array(&[(1, 1)], &[Value::Json("{\"a\": 1.00}".into())])),
        ("time[]", "{01:00:00}", array(&[(1, 1)], &[Value::Time(3_600_000_000_000)])),
        ("timestamp[]", "{\"1970-01-01 00:00:01\"}", array(&[(1, 1)], &[Value::Timestamp(second)])),
        (
            "timestamptz[]",
            "{\"1970-01-01 00:00:01+00\",infinity}",
            array(&[(2, 1)], &[Value::TimestampTz(second), Value::TimestampTz(infinity)]),
        ),
        ("interval[]", "{\"1 day\"}", array(&[(1, 1)], &[Value::Interval { months: 0, days: 1, microseconds: 0 }])),
        ("timetz[]", "{12:00:00+02}", array(&[(1, 1)], &[other("12:00:00+02")])),
        ("cidr[]", "{10.0.0.0/8}", array(&[(1, 1)], &[other("10.0.0.0/8")])),
        ("macaddr[]", "{08:00:2b:01:02:03}", array(&[(1, 1)], &[other("08:00:2b:01:02:03")])),
        ("bit(3)[]", "{101,NULL}", array(&[(2, 1)], &[other("101"), Value::Null])),
        ("varbit[]", "{10,1}", array(&[(2, 1)], &[other("10"), other("1")])),
        ("money[]", "{$1.50}", array(&[(1, 1)], &[other("$1.50")])),
        ("xml[]", "{\"<a b=\\\"c\\\"/>\"}", array(&[(1, 1)], &[other("<a b=\"c\"/>")])),
        ("point[]", "{\"(1,2)\",\"(3,4)\"}", array(&[(2, 1)], &[other("(1,2)"), other("(3,4)")])),
        ("polygon[]", "{\"((1,2),(3,4))\"}", array(&[(1, 1)], &[other("((1,2),(3,4))")])),
        ("circle[]", "{\"<(1,2),3>\"}", array(&[(1, 1)], &[other("<(1,2),3>")])),
        ("tsvector[]", "{\"''a'' ''b''\"}", array(&[(1, 1)], &[other("'a' 'b'")])),
        ("int4range[]", "{\"[1,5)\",empty}", array(&[(2, 1)], &[other("[1,5)"), other("empty")])),
        ("nummultirange[]", "{\"{[1,2),[5,6)}\"}", array(&[(1, 1)], &[other("{[1,2),[5,6)}")])),
        (
            "macaddr8[]",
            "{08:00:2b:01:02:03:04:05,NULL}",
            array(&[(2, 1)], &[other("08:00:2b:01:02:03:04:05"), Value::Null]),
        ),
        ("line[]", "{\"{1,2,3}\"}", array(&[(1, 1)], &[other("{1,2,3}")])),
        ("lseg[]", "{\"[(1,2),(3,4)]\",NULL}", array(&[(2, 1)], &[other("[(1,2),(3,4)]"), Value::Null])),
        (
            "path[]",
            "{\"((1,2),(3,4))\",\"[(1,2),(3,4)]\"}",
            array(&[(2, 1)], &[other("((1,2),(3,4))"), other("[(1,2),(3,4)]")]),
        ),
        ("tsquery[]", "{\"''a'' & ''b''\"}", array(&[(1, 1)], &[other("'a' & 'b'")])),
        ("jsonpath[]", "{\"$.\\\"a\\\"\"}", array(&[(1, 1)], &[other("$.\"a\"")])),
        ("pg_lsn[]", "{0/16B3748}", array(&[(1, 1)], &[other("0/16B3748")])),
        ("xid8[]", "{7}", array(&[(1, 1)], &[other("7")])),
        ("int8range[]", "{\"(,5)\",NULL}", array(&[(2, 1)], &[other("(,5)"), Value::Null])),
        ("numrange[]", "{\"[1.5,2.5)\"}", array(&[(1, 1)], &[other("[1.5,2.5)")])),
        ("daterange[]", "{\"[2024-01-01,2024-02-01)\"}", array(&[(1, 1)], &[other("[2024-01-01,2024-02-01)")])),
        ("tsrange[]", "{\"[\\\"2024-01-01 00:00:00\\\",)\"}", array(&[(1, 1)], &[other("[\"2024-01-01 00:00:00\",)")])),
        ("int4multirange[]", "{\"{[1,5),[7,9)}\",\"{}\"}", array(&[(2, 1)], &[other("{[1,5),[7,9)}"), other("{}")])),
        ("int8multirange[]", "{\"{[1,5),[7,9)}\"}", array(&[(1, 1)], &[other("{[1,5),[7,9)}")])),
        (
            "datemultirange[]",
            "{\"{[2024-01-01,2024-02-01)}\"}",
            array(&[(1, 1)], &[other("{[2024-01-01,2024-02-01)}")]),
        ),
        ("tsmultirange[]", "{\"{(,)}\"}", array(&[(1, 1)], &[other("{(,)}")])),
        ("tstzmultirange[]", "{\"{(,)}\",NULL}", array(&[(2, 1)], &[other("{(,)}"), Value::Null])),
        ("pair[]", "{\"(1,\\\"x y\\\")\",NULL}", array(&[(2, 1)], &[other("(1,\"x y\")"), Value::Null])),
        ("age[]", "{7}", array(&[(1, 1)], &[Value::I32(7)])),
        ("span[]", "{\"[1,2)\"}", array(&[(1, 1)], &[other("[1,2)")])),
    ] {
        check(&db, type_name, literal, value).await;
    }
}
