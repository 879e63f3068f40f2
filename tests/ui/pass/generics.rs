// Bounds are those that reading the fields requires, no more.

#![deny(warnings)]
#![allow(dead_code)]

use montrs_orm::{Decode, FromRow};
use std::fmt::Debug;
use std::marker::PhantomData;

struct NotAColumn;

#[derive(FromRow)]
struct Tagged<T: Debug = i64, Tag = NotAColumn>
where
    T: Clone,
{
    value: T,
    other: Option<T>,
    #[orm(default)]
    third: T,
    #[orm(skip)]
    tag: PhantomData<Tag>,
}

#[derive(FromRow)]
struct Page<'r, T, U: Clone + Debug> {
    title: &'r str,
    #[orm(flatten)]
    item: T,
    #[orm(flatten)]
    tagged: Tagged<U>,
}

#[derive(FromRow)]
struct Bounded<'a: 'a, T: Decode<'a> + 'a> {
    value: T,
    name: Option<&'a str>,
}

#[derive(FromRow)]
struct Unsized<const N: usize, T: ?Sized> {
    value: i64,
    #[orm(skip)]
    marker: PhantomData<T>,
    #[orm(skip, default = none)]
    nothing: Option<Box<[u8; N]>>,
}

fn none<T>() -> Option<T> {
    None
}

mod private {
    use montrs_orm::{Columns, DbError, Field, FromRow, Plan, RowReader};

    pub(super) struct Inner<T>(T);

    impl<'r, T> FromRow<'r> for Inner<T>
    where
        T: Default,
    {
        fn fields(_: &mut Vec<Field>) {}

        fn resolve(_: &Columns, _: &mut Plan) -> Result<(), DbError> {
            Ok(())
        }

        fn read(_: &mut RowReader<'r>) -> Result<Self, DbError> {
            Ok(Self(T::default()))
        }
    }
}

/// A public struct with a flattened private type.
#[derive(FromRow)]
pub struct Public<T> {
    #[orm(flatten)]
    inner: private::Inner<T>,
}

macro_rules! row {
    ($name:ident { $($field:ident: $ty:ty),* }) => {
        #[derive(FromRow)]
        struct $name {
            $($field: $ty),*
        }
    };
}

row!(FromMacro { id: i64, row: Option<String>, r#type: f64 });

fn reads<'r, T: FromRow<'r>>() {}

fn main() {
    reads::<Tagged<String>>();
    reads::<Page<'_, Tagged, String>>();
    reads::<Bounded<'_, &str>>();
    reads::<Public<NotDecoded>>();
    reads::<FromMacro>();
}

#[derive(Default)]
struct NotDecoded;
