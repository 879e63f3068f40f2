//! Answers that are not what they should be.

use montrs_driver_sdk::{Batch, Column, ColumnSet, Fetched, Kind, Result, ValueRef};

/// Makes the wrong answer of this name.
pub(crate) fn answer<R>(name: &str, batch: &mut Batch) -> Option<Result<Fetched<R>>> {
    batch.clear(1);
    let pushed = match name {
        // A cell that belongs to no row.
        "wrong-cells" => batch.push(ValueRef::I64(1)),
        // Two columns in the batch, one in the result.
        "wrong-width" => {
            batch.clear(2);
            let pushed = batch.push(ValueRef::I64(1)).and_then(|()| batch.push(ValueRef::I64(2)));
            batch.end_row();
            pushed
        }
        "invalid-text" => whole(batch, Kind::TEXT, b"\xff\xfe"),
        // A kind that is not invented yet.
        "unknown-kind" => whole(batch, Kind(200), b"x"),
        // The cell says that its bytes lie in the heap of bytes, and they lie in that of text.
        "outside-heap" => whole(batch, Kind::BYTES, b"x"),
        // What is wrong of these is how a pipeline answers them; see the connection.
        "wrong-turn" | "wrong-step" | "wrong-silence" | "wrong-twice" | "one too few" => {
            batch.clear(1);
            Ok(())
        }
        _ => return None,
    };
    Some(pushed.map(|()| Fetched::finished(ColumnSet::of([Column::named("value")]), 0)))
}

fn whole(batch: &mut Batch, kind: Kind, value: &[u8]) -> Result<()> {
    let pushed = batch.push_unchecked_text(kind, value);
    batch.end_row();
    pushed
}
