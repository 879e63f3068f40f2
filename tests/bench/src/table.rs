//! Tables in Markdown.

use crate::{
    contest::MONTRS,
    measure::{Measured, Ratios},
};
use montrs_bench_worker::{Lateness, Targets};
use std::{fmt::Write, time::Duration};

/// Ratios to the reference.
pub(crate) fn ratios(reference: &str, measured: &[Measured]) -> String {
    let Some(first) = measured.first() else { return String::new() };
    let names = first.ratios.iter().map(|ratios| ratios.contestant);
    let header = ["case", reference, "target"].into_iter().chain(names).chain(["sqlx / montrs", "target"]);
    let mut table =
        row(header.map(str::to_owned)) + &row(std::iter::repeat_n("---".to_owned(), first.ratios.len() + 5));
    for Measured { case, reference, ratios, over_sqlx } in measured {
        let Targets { wall, cpu, over_sqlx: at_least } = case.targets;
        let target = match (wall, cpu) {
            (Some(wall), Some(cpu)) => format!("≤ {wall} (≤ {cpu})"),
            (Some(wall), None) => format!("≤ {wall}"),
            (None, Some(cpu)) => format!("(≤ {cpu})"),
            (None, None) => String::new(),
        };
        let cells = [case.name.to_owned(), nanoseconds(*reference), target].into_iter();
        let cells = cells.chain(ratios.iter().enumerate().map(|(index, Ratios { wall: on_wall, cpu: of_cpu, .. })| {
            // The targets are those of the first, which is montrs as it comes.
            let missed = |value: &f64, limit: Option<f64>| index == 0 && limit.is_some_and(|limit| *value > limit);
            format!("{} ({})", emphasized(*on_wall, missed(on_wall, wall)), emphasized(*of_cpu, missed(of_cpu, cpu)))
        }));
        let missed = at_least.is_some_and(|at_least| *over_sqlx < at_least);
        let at_least = at_least.map_or(String::new(), |at_least| format!("≥ {at_least}"));
        table += &row(cells.chain([emphasized(*over_sqlx, missed), at_least]));
    }
    table
}

/// How many times as fast each contestant is when it need not wait for each statement.
pub(crate) fn pipelining(reference: &str, one_by_one: &Measured, pipelined: &Measured) -> String {
    let header = ["contestant", "one by one", "pipelined", "times as fast", "target"];
    let mut table = row(header.map(str::to_owned)) + &row(header.map(|_| "---".to_owned()));
    let times = |measured: &Measured| {
        let others = measured.ratios.iter().map(|ratios| ratios.nanoseconds);
        std::iter::once(measured.reference).chain(others).collect::<Vec<_>>()
    };
    let names = std::iter::once(reference).chain(one_by_one.ratios.iter().map(|ratios| ratios.contestant));
    for ((name, one), all) in names.zip(times(one_by_one)).zip(times(pipelined)) {
        let target = (name == MONTRS).then_some(PIPELINED_AT_LEAST);
        let times = emphasized(one / all, target.is_some_and(|target| one / all < target));
        let target = target.map_or(String::new(), |target| format!("≥ {target}"));
        table += &row([name.to_owned(), nanoseconds(one), nanoseconds(all), times, target]);
    }
    table
}

/// What is aimed at for [`pipelining`].
const PIPELINED_AT_LEAST: f64 = 5.0;

/// How much memory has grown during a stream, in KiB.
pub(crate) fn growth(measured: &[(&str, u64)]) -> String {
    let mut table = row(["contestant", "growth"].map(str::to_owned)) + &row(["---", "---:"].map(str::to_owned));
    for (contestant, growth) in measured {
        table += &row([(*contestant).to_owned(), format!("{growth} KiB")]);
    }
    table
}

/// How late timers come.
pub(crate) fn lateness(measured: &[(&str, [Lateness; 2])]) -> String {
    let header = ["contestant", "idle: median", "p99", "latest", "beside it: median", "p99", "latest"];
    let mut table = row(header.map(str::to_owned)) + &row(header.map(|_| "---".to_owned()));
    for (contestant, both) in measured {
        let times = both.iter().flat_map(|lateness| [lateness.median, lateness.p99, lateness.max]);
        table += &row(std::iter::once((*contestant).to_owned()).chain(times.map(milliseconds)));
    }
    table
}

fn row(cells: impl IntoIterator<Item = String>) -> String {
    let mut line = String::from("|");
    for cell in cells {
        let _ = write!(line, " {cell} |");
    }
    line + "\n"
}

fn emphasized(value: f64, is_bad: bool) -> String {
    let digits = if value < 10.0 { 2 } else { 1 };
    if is_bad { format!("**{value:.digits$}**") } else { format!("{value:.digits$}") }
}

fn nanoseconds(nanoseconds: f64) -> String {
    match nanoseconds {
        ..1e3 => format!("{nanoseconds:.0} ns"),
        ..1e6 => format!("{:.2} µs", nanoseconds / 1e3),
        _ => format!("{:.2} ms", nanoseconds / 1e6),
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}
