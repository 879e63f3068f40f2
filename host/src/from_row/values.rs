//! What is read without a name: the only column, and tuples of columns.

use crate::{Columns, DbError, Decode, Field, FromRow, Plan, RowReader};
use std::{borrow::Cow, sync::Arc};

/// Scalars read the only column.
macro_rules! scalars {
    ($($type:ty),* $(,)?) => {
        $(impl<'r> FromRow<'r> for $type {
            fn fields(_: &mut Vec<Field>) {}

            fn resolve(columns: &Columns, plan: &mut Plan) -> Result<(), DbError> {
                plan.column_count(columns, 1)?;
                plan.next_column::<$type>(columns)
            }

            #[inline]
            fn read(row: &mut RowReader<'r>) -> Result<Self, DbError> {
                row.take()
            }
        })*
    };
}

scalars! {
    bool, i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize, f32, f64,
    String, &'r str, Cow<'r, str>, Box<str>, Arc<str>, &'r [u8], Cow<'r, [u8]>,
    crate::Value, crate::ValueRef<'r>, crate::Interval, std::time::Duration,
    std::net::IpAddr, std::net::Ipv4Addr, std::net::Ipv6Addr,
}

#[cfg(feature = "bigdecimal")]
scalars!(bigdecimal::BigDecimal);
#[cfg(feature = "chrono")]
scalars! {
    chrono::NaiveDate, chrono::NaiveTime, chrono::NaiveDateTime, chrono::DateTime<chrono::Utc>,
    chrono::DateTime<chrono::FixedOffset>, chrono::DateTime<chrono::Local>, chrono::TimeDelta,
}
#[cfg(feature = "jiff")]
scalars! {
    jiff::civil::Date, jiff::civil::Time, jiff::civil::DateTime, jiff::Timestamp, jiff::SignedDuration,
}
#[cfg(feature = "json")]
scalars!(serde_json::Value);
#[cfg(feature = "rust_decimal")]
scalars!(rust_decimal::Decimal);
#[cfg(feature = "time")]
scalars! {
    time::Date, time::Time, time::PrimitiveDateTime, time::UtcDateTime, time::OffsetDateTime, time::Duration,
}
#[cfg(feature = "uuid")]
scalars!(uuid::Uuid);

/// Scalars that are made of another type.
macro_rules! generic_scalars {
    ($($type:ty, [$($parameters:tt)*];)*) => {
        $(impl<'r, $($parameters)*> FromRow<'r> for $type
        where
            Self: Decode<'r>,
        {
            fn fields(_: &mut Vec<Field>) {}

            fn resolve(columns: &Columns, plan: &mut Plan) -> Result<(), DbError> {
                plan.column_count(columns, 1)?;
                plan.next_column::<Self>(columns)
            }

            #[inline]
            fn read(row: &mut RowReader<'r>) -> Result<Self, DbError> {
                row.take()
            }
        })*
    };
}

generic_scalars! {
    Option<T>, [T];
    Vec<T>, [T];
    [T; N], [T, const N: usize];
}
#[cfg(feature = "json")]
generic_scalars! {
    crate::Json<T>, [T];
}

/// Nothing is read, whatever the columns: for statements whose rows do not matter.
impl<'r> FromRow<'r> for () {
    fn fields(_: &mut Vec<Field>) {}

    fn resolve(_: &Columns, _: &mut Plan) -> Result<(), DbError> {
        Ok(())
    }

    #[inline]
    fn read(_: &mut RowReader<'r>) -> Result<Self, DbError> {
        Ok(())
    }
}

/// Tuples read by position.
macro_rules! tuples {
    ($($($type:ident)+;)*) => {
        $(impl<'r, $($type: Decode<'r>),+> FromRow<'r> for ($($type,)+) {
            fn fields(_: &mut Vec<Field>) {}

            fn resolve(columns: &Columns, plan: &mut Plan) -> Result<(), DbError> {
                plan.column_count(columns, [$(stringify!($type)),+].len())?;
                $(plan.next_column::<$type>(columns)?;)+
                Ok(())
            }

            #[inline]
            fn read(row: &mut RowReader<'r>) -> Result<Self, DbError> {
                Ok(($(row.take::<$type>()?,)+))
            }
        })*
    };
}

tuples! {
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
    A B C D E F G H I;
    A B C D E F G H I J;
    A B C D E F G H I J K;
    A B C D E F G H I J K L;
    A B C D E F G H I J K L M;
    A B C D E F G H I J K L M N;
    A B C D E F G H I J K L M N O;
    A B C D E F G H I J K L M N O P;
}
