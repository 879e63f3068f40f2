//! Sees to it that SQLite is compiled as this driver needs it.

/// What `.cargo/config.toml` says. Cargo reads that file in the directory that it is started in and those above it.
const FLAGS: &[&str] = &[
    "-DSQLITE_THREADSAFE=2",
    "-DSQLITE_OMIT_SHARED_CACHE",
    "-DSQLITE_DEFAULT_MEMSTATUS=0",
    "-DSQLITE_ENABLE_MATH_FUNCTIONS",
];

fn main() {
    println!("cargo::rerun-if-env-changed=LIBSQLITE3_FLAGS");
    let flags = std::env::var("LIBSQLITE3_FLAGS").unwrap_or_default();
    if let Some(missing) = FLAGS.iter().find(|flag| !flags.split_whitespace().any(|given| given == **flag)) {
        println!(
            "cargo::error=the environment variable LIBSQLITE3_FLAGS lacks {missing}: start cargo inside the repository, \
             whose .cargo/config.toml sets it, or set it to what is written there"
        );
    }
}
