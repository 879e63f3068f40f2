//! What `#[derive(FromRow)]` accepts, and what it says about the rest. `TRYBUILD=overwrite` rewrites the texts.

#[test]
fn misuse_of_from_row_is_explained_where_it_happens() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/pass/*.rs");
    cases.compile_fail("ui/*.rs");
}
