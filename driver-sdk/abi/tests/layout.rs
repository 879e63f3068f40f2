//! Every type that crosses the boundary, with its size and the places of its fields, and every slot of every table, as
//! `layout.txt` has them: no change of the ABI goes unnoticed in a review.
//!
//! The types are found by following the root module: through fields, arguments and results. Nothing can be forgotten.
//! A change that is meant is written down by
//!
//! ```text
//! MONTRS_WRITE_LAYOUT=1 cargo test -p montrs-driver-abi --test layout
//! ```
//!
//! What version 1.0 had is in `layout-1.0.txt`, which never changes: only new types, and new slots at the ends of tables, may
//! be more.

#![cfg(target_pointer_width = "64")]

use montrs_driver_abi::{
    AnswerSink, Batch, Cell, Column, ColumnSet, ConnectionObject, ConnectionVtable, DatabaseObject, DatabaseVtable,
    Description, DriverError, DriverModule, DriverModuleRef, DriverResult, ErrorRecord, HostServices,
    HostServicesVtable, IoFailure, Job, ManyReply, NextBatch, Parameter, Params, PipelineAnswer, QueryOptions,
    QueryReply, Reply, RowsObject, RowsVtable, SocketObject, SocketVtable, Span, StatementObject, StatementVtable,
    TaskObject, TaskVtable, TcpOptions, TransactionOptions, Transferred,
    abi_stable::{
        StableAbi,
        type_layout::{TLData, TLField, TLFunction, TypeLayout},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fmt::Write,
    mem::offset_of,
    path::Path,
};

/// The crate whose types are shown in full; those of others belong to the versions that it pins.
const OWN: &str = "montrs-driver-abi";

type Layout = &'static TypeLayout;

/// The types that a field or an argument brings along: its own, and those of a function's arguments and result.
fn types(field: &TLField) -> Vec<Layout> {
    let mut types = vec![field.layout()];
    for function in field.function_range().iter() {
        types.extend(function.param_type_layouts.iter().map(|parameter| parameter()));
        types.extend(function.return_type_layout().map(|result| result()));
    }
    types
}

fn fields(layout: Layout) -> Vec<TLField> {
    layout.get_fields().into_iter().flat_map(|fields| fields.to_vec()).collect()
}

/// The name of a type with its parameters, which abi_stable keeps for few of the generic types.
fn name(layout: Layout) -> String {
    let of = |field: usize| name(fields(layout)[field].layout());
    match layout.name() {
        // `Ready(T)`, `RSome(T)`
        "FfiPoll" | "ROption" => format!("{}<{}>", layout.name(), of(0)),
        "RResult" => format!("RResult<{}, {}>", of(0), of(1)),
        // `ROption<RResult<T, DriverError>>`
        "Reply" => {
            let result = fields(fields(layout)[0].layout())[0].layout();
            format!("Reply<{}>", name(fields(result)[0].layout()))
        }
        // It holds a future that must stay on its thread, whose `poll_fn` returns `FfiPoll<T>`.
        "BorrowingFfiFuture" => of(0).replace("Local", ""),
        "LocalBorrowingFfiFuture" => {
            let poll = fields(layout)[1].function_range().get(0).expect("it is a function");
            let poll = poll.return_type_layout().expect("it returns something")();
            format!("LocalFfiFuture<{}>", name(fields(poll)[0].layout()))
        }
        "RArc" | "RBox" | "RSlice" | "RVec" => {
            let data = fields(layout)[0].layout().generics().type_params()[0];
            format!("{}<{}>", layout.name(), name(data()))
        }
        _ => layout.full_type().to_string().replace("<'a, ", "<").trim_end().to_owned(),
    }
}

/// Everything that can be reached from the root module.
fn found() -> BTreeMap<String, Layout> {
    let (mut found, mut seen) = (BTreeMap::new(), HashSet::new());
    let mut open: Vec<Layout> = vec![DriverModuleRef::LAYOUT];
    while let Some(layout) = open.pop() {
        if seen.insert(layout.get_utypeid()) {
            found.insert(name(layout), layout);
            let fields = fields(layout).into_iter().chain(layout.phantom_fields().to_vec());
            open.extend(fields.flat_map(|field| types(&field)));
            open.extend(layout.generics().type_params().iter().map(|parameter| parameter()));
        }
    }
    found
}

/// The fields of a `repr(C)` struct, or the slots of a table: place, name and type; and the size that comes of them.
fn places(layout: Layout) -> (Vec<(usize, &'static str, String)>, usize) {
    let (mut places, mut end) = (Vec::new(), 0_usize);
    for field in fields(layout) {
        let place = end.next_multiple_of(field.layout().alignment());
        end = place + field.layout().size();
        let text = match field.function_range().get(0) {
            Some(function) if field.is_function() => signature(&function),
            _ => name(field.layout()),
        };
        places.push((place, field.name(), text));
    }
    (places, end.next_multiple_of(layout.alignment()))
}

fn signature(function: &TLFunction) -> String {
    let names = function.param_names.as_str().split(',');
    let types = function.param_type_layouts.iter().map(|parameter| name(parameter()));
    let parameters: Vec<_> = names.zip(types).map(|(name, layout)| format!("{name}: {layout}")).collect();
    let result = function.return_type_layout().map_or(String::new(), |result| format!(" -> {}", name(result())));
    let start = if function.fn_qualifs.is_unsafe() { "unsafe fn" } else { "fn" };
    format!("{start}({}){result}", parameters.join(", "))
}

/// What `layout.txt` should hold.
fn written() -> String {
    let (mut own, mut foreign) = (String::new(), String::new());
    for (name, layout) in found().into_iter().filter(|(_, layout)| layout.package() != "std") {
        let is_own = layout.package() == OWN;
        let what = match layout.data() {
            TLData::PrefixType(table) => {
                format!("{} slots, of which {} are mandatory, ", table.fields.len(), table.first_suffix_field)
            }
            _ => String::new(),
        };
        let out = if is_own { &mut own } else { &mut foreign };
        writeln!(out, "{name}: {what}{} bytes, aligned to {}", layout.size(), layout.alignment()).unwrap();
        for (place, name, text) in places(layout).0.into_iter().filter(|_| is_own) {
            writeln!(out, "    {place:3} {name}: {text}").unwrap();
        }
    }
    format!("{own}\nOf other crates:\n\n{foreign}")
}

#[test]
fn the_layout_is_the_one_that_was_reviewed() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/layout.txt");
    let written = written();
    if std::env::var_os("MONTRS_WRITE_LAYOUT").is_some() {
        std::fs::write(&file, &written).expect("the file can be written");
    }
    let reviewed = std::fs::read_to_string(&file).unwrap_or_default();
    let (ours, theirs): (BTreeSet<_>, BTreeSet<_>) = (written.lines().collect(), reviewed.lines().collect());
    let gone: Vec<_> = theirs.difference(&ours).collect();
    let new: Vec<_> = ours.difference(&theirs).collect();
    assert!(written == reviewed, "the layout has changed. Gone: {gone:#?}. New: {new:#?}. See the head of this test");
}

/// The types of a written layout: the first line of each, and its fields or slots.
fn types_of(written: &str) -> BTreeMap<&str, (&str, Vec<&str>)> {
    let mut types = BTreeMap::new();
    let mut name = "";
    for line in written.split("\nOf other crates:").next().unwrap_or_default().lines() {
        if let Some((of, rest)) = line.split_once(": ").filter(|_| !line.starts_with(' ')) {
            name = of;
            types.insert(name, (rest, Vec::new()));
        } else if let Some((_, places)) = types.get_mut(name).filter(|_| line.starts_with(' ')) {
            places.push(line);
        }
    }
    types
}

#[test]
fn version_1_0_is_as_it_was() {
    let (frozen, written) = (include_str!("layout-1.0.txt"), written());
    let (frozen, current) = (types_of(frozen), types_of(&written));
    assert!(frozen.len() > 40 && frozen["ConnectionVtable"].1.len() > 15, "the file can be read");
    for (name, (size, places)) in frozen {
        let (new_size, new_places) = current.get(name).unwrap_or_else(|| panic!("{name} is gone"));
        let is_table = size.contains(" slots, ");
        assert!(new_places.starts_with(&places), "{name} has changed: {places:#?} are now {new_places:#?}");
        assert!(is_table || *new_size == size, "{name} is not a table, and has grown: {size}, now {new_size}");
        if is_table {
            let mandatory = |size: &str| size.split("of which ").nth(1)?.split(' ').next().map(str::to_owned);
            assert_eq!(mandatory(new_size), mandatory(size), "{name}: what a driver of 1.0 lacks cannot be mandatory");
        }
    }
}

#[test]
fn sizes_come_of_the_fields() {
    for (name, layout) in found() {
        if layout.package() == OWN && !layout.is_prefix_kind() && layout.get_fields().is_some() {
            assert_eq!(places(layout).1, layout.size(), "{name}");
        }
    }
}

/// Checks the places that the compiler gives against those that `places` finds.
macro_rules! check {
    ($found:ident: $type:ty { $($field:ident),* }) => {{
        let (places, size) = places($found[stringify!($type)]);
        let expected: &[(&str, usize)] = &[$((stringify!($field), offset_of!($type, $field))),*];
        let found: Vec<_> = places.iter().map(|(place, name, _)| (*name, *place)).collect();
        assert_eq!(found, expected, stringify!($type));
        assert_eq!(size, size_of::<$type>(), stringify!($type));
    }};
}

#[test]
fn fields_and_slots_lie_where_the_compiler_puts_them() {
    let found = found();
    check!(found: DriverModule { open, redact });
    check!(found: DatabaseVtable { connect, capability, drop });
    check!(found: ConnectionVtable {
        prepare, command, upload, upload_bytes, upload_rows, upload_end, begin, commit, rollback, savepoint, release, rollback_to, reset, ping, status, close, drop,
        first_statement, query_once, prepare_many, pipeline
    });
    check!(found: StatementVtable { query, query_many, describe, drop });
    check!(found: RowsVtable { next, close, drop });
    check!(found: HostServicesVtable {
        duplicate, resolve, connect_tcp, connect_unix, sleep, yield_now, spawn, spawn_blocking, log_enabled, log, drop
    });
    check!(found: SocketVtable { poll_read, poll_write, poll_flush, poll_shutdown, drop });
    check!(found: TaskVtable { abort, is_finished, drop });
    check!(found: Column { name, type_name, table, origin, type_code, kind, nullability });
    check!(found: ColumnSet { columns });
    check!(found: Parameter { name, type_name, type_code, kind, nullability });
    check!(found: Description { parameters, columns, is_read_only });
    check!(found: QueryOptions { max_rows, batch_bytes });
    check!(found: QueryReply { columns, affected, last_insert_id, rows });
    check!(found: ManyReply { affected, last_insert_id, spare });
    check!(found: NextBatch { affected, finished });
    check!(found: Span { start, end });
    check!(found: PipelineAnswer { step, begins, finished, columns, affected, last_insert_id });
    check!(found: AnswerSink { data, take });
    check!(found: TransactionOptions { isolation, access, lock_mode, deferrable });
    check!(found: ErrorRecord {
        kind, position, row, native_code, sqlstate, message, detail, hint, schema, table, column, constraint, is_retryable,
        may_have_executed, extra
    });
    check!(found: IoFailure { code, message });
    check!(found: TcpOptions {
        no_delay, keepalive, keepalive_retries, keepalive_idle_ms, keepalive_interval_ms, user_timeout_ms
    });
    check!(found: Transferred { count, error });
}

#[test]
fn what_crosses_often_is_small() {
    let pointer = size_of::<usize>();
    assert_eq!(size_of::<Cell>(), 16);
    assert_eq!(size_of::<DriverError>(), 2 * pointer);
    assert_eq!(size_of::<DriverResult<()>>(), 3 * pointer);
    let objects = [
        size_of::<HostServices>(),
        size_of::<DatabaseObject>(),
        size_of::<ConnectionObject>(),
        size_of::<StatementObject>(),
        size_of::<RowsObject>(),
        size_of::<SocketObject>(),
        size_of::<TaskObject>(),
    ];
    assert_eq!(objects, [2 * pointer; 7]);
    assert_eq!(size_of::<Job>(), 3 * pointer);
    assert_eq!((size_of::<Batch>(), size_of::<Params<'_>>()), (104, 64));
    assert_eq!((size_of::<Reply<()>>(), size_of::<Reply<QueryReply>>()), (64, 112));
}
