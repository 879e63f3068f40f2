//! Comparing the layouts of a driver's tables with the host's, and saying in a few lines how they differ.

use montrs_driver_abi::abi_stable::abi_stability::abi_checking::{
    AbiInstabilityError, AbiInstabilityErrors, check_layout_compatibility,
};
use montrs_driver_abi::abi_stable::type_layout::{TLFieldOrFunction, TypeLayout};

/// Whether one table begins with the other, so that both sides can use what they have in common; either may be the
/// newer one. A slot that the older side lacks then reads as `None`.
///
/// # Errors
///
/// The mismatches, one a line, each line starting with a line break.
pub(crate) fn compare(ours: &'static TypeLayout, theirs: &'static TypeLayout) -> Result<(), String> {
    let Err(errors) = check_layout_compatibility(ours, theirs) else { return Ok(()) };
    // abi_stable accepts tables that are longer than expected, and no shorter ones.
    check_layout_compatibility(theirs, ours).map_err(|_| causes(&errors))
}

/// Text of others on one line, cut to a length that can be read.
pub(crate) fn shortened(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

const MAX_CHARS: usize = 240;
/// A mismatch deep in a table is reported together with the layouts of all tables around it, in 200 KB of text.
const MAX_CAUSES: usize = 5;

fn causes(errors: &AbiInstabilityErrors) -> String {
    let mut lines: Vec<String> = errors.errors.iter().flat_map(cause_lines).collect();
    lines.dedup();
    let more = lines.len().saturating_sub(MAX_CAUSES);
    lines.truncate(MAX_CAUSES);
    if more > 0 {
        lines.push(format!("\n  … and {more} more"));
    }
    lines.concat()
}

/// One line for each mismatch of one type, as in `at open.services: too many fields: expected 2, found 1`.
fn cause_lines(error: &AbiInstabilityError) -> Vec<String> {
    // The module is a reference, whose field `0` is the table; a function has the name of the field that it is in.
    let mut way: Vec<&str> =
        error.stack_trace.iter().map(|step| name(&step.found)).skip_while(|name| *name == "0").collect();
    way.dedup();
    let place = if way.is_empty() { "the module".into() } else { way.join(".") };
    // abi_stable gives its mismatches as text only: `Error:what`, then `Expected:` and `Found:` before their values.
    let text = error.to_string();
    let mut lines: Vec<String> = text
        .split("\nError:")
        .skip(1)
        .map(|mismatch| {
            let mismatch = mismatch.split("\nExtra:").next().unwrap_or_default();
            let (what, values) = mismatch.split_once("\nExpected:").unwrap_or((mismatch, ""));
            let (expected, found) = values.split_once("\nFound:").unwrap_or((values, ""));
            format!("\n  at {place}: {}: expected {}, found {}", what.trim(), shortened(expected), shortened(found))
        })
        .collect();
    lines.extend(text.split("\nExtra:").skip(1).map(|extra| format!("\n  at {place}: {}", shortened(extra))));
    lines
}

fn name(step: &TLFieldOrFunction) -> &'static str {
    match step {
        TLFieldOrFunction::Field(field) => field.name(),
        TLFieldOrFunction::Function(function) => function.name.as_str(),
    }
}

#[cfg(test)]
#[allow(unsafe_code, unreachable_pub, non_local_definitions, dead_code, reason = "what abi_stable's derives expand to")]
mod tests {
    use super::*;
    use montrs_driver_abi::abi_stable::StableAbi;

    macro_rules! table {
        ($version:ident, $slot:ty, $($more:tt)*) => {
            mod $version {
                use abi_stable::StableAbi;

                #[repr(C)]
                #[derive(StableAbi)]
                #[sabi(kind(Prefix(prefix_ref = TableRef, prefix_fields = TablePrefix)))]
                pub struct Table {
                    #[sabi(last_prefix_field)]
                    pub first: extern "C" fn() -> Row,
                    $($more)*
                }

                #[repr(C)]
                #[derive(StableAbi)]
                pub struct Row {
                    pub number: $slot,
                }
            }
        };
    }

    table!(first, u32,);
    table!(longer, u32, pub second: extern "C" fn());
    table!(different, f64,);

    const FIRST: &TypeLayout = <first::TableRef as StableAbi>::LAYOUT;
    const LONGER: &TypeLayout = <longer::TableRef as StableAbi>::LAYOUT;
    const DIFFERENT: &TypeLayout = <different::TableRef as StableAbi>::LAYOUT;

    #[test]
    fn a_table_that_begins_with_the_other_fits_in_both_directions() {
        assert_eq!(compare(FIRST, FIRST), Ok(()));
        assert_eq!(compare(FIRST, LONGER), Ok(()));
        assert_eq!(compare(LONGER, FIRST), Ok(()));
    }

    #[test]
    fn a_different_table_is_refused_with_the_way_to_the_difference() {
        let causes = compare(FIRST, DIFFERENT).unwrap_err();
        assert!(causes.contains("at first.__returns.number: "), "{causes}");
        assert!(causes.contains("u32") && causes.contains("f64"), "{causes}");
        assert!(causes.len() < 2000 && causes.lines().count() <= MAX_CAUSES + 2, "{causes}");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(shortened(" a\n\tb "), "a b");
        assert_eq!(shortened(&"é".repeat(1000)).chars().count(), MAX_CHARS + 1);
    }
}
