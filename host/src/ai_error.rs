//! Errors that explain themselves, to people and to programs that write programs.

/// An error with a stable code, an explanation and fixes.
///
/// The signatures are those of the montrs framework's own trait.
pub trait AiError: std::error::Error {
    /// A code that never changes its meaning, such as `DB_UNIQUE_VIOLATION`.
    fn error_code(&self) -> &'static str;

    /// What happened and why, with the names of the case at hand.
    fn explanation(&self) -> String;

    /// What can be done, the likeliest first.
    fn suggested_fixes(&self) -> Vec<String>;

    /// The part of the framework that the error comes from.
    fn subsystem(&self) -> &'static str;

    /// The compiler's message, where there is one.
    fn rustc_error(&self) -> Option<String> {
        None
    }

    /// Where to read more.
    fn documentation_refs(&self) -> Vec<String> {
        Vec::new()
    }
}
