//! Types of other crates, each behind the feature of its name.

#[cfg(feature = "chrono")]
mod chrono;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "rust_decimal")]
mod rust_decimal;
#[cfg(feature = "uuid")]
mod uuid;
