//! What `#[derive(FromRow)]` accepts, and what is said about the rest. `TRYBUILD=overwrite` rewrites the texts.

/// The compiler whose own wording `ui/compiler` holds. The other texts are the derive's.
const COMPILER: &str = "rustc 1.95.";

#[test]
fn misuse_of_from_row_is_explained_where_it_happens() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/pass/*.rs");
    cases.compile_fail("ui/*.rs");
    let compiler = std::process::Command::new("rustc").arg("--version").output().expect("rustc is here").stdout;
    let compiler = String::from_utf8_lossy(&compiler);
    if compiler.starts_with(COMPILER) {
        cases.compile_fail("ui/compiler/*.rs");
    } else {
        println!("ui/compiler holds the wording of {COMPILER}, and this is {compiler}: not compared");
    }
}
