//! From the command line's settings to those of the database.

use crate::{args::Settings, failure::Failure};
use montrs_orm::{DatabaseBuilder, drivers::SearchPath};

/// What the command line says, then the configuration file, then the environment.
pub(crate) fn builder(settings: &Settings) -> Result<DatabaseBuilder, Failure> {
    // One statement needs one connection, whatever a file says for a server.
    let mut builder = DatabaseBuilder::default().max_connections(1).min_connections(0);
    if !settings.plugins.is_empty() {
        builder = builder.search_path(SearchPath::only(settings.plugins.iter().flat_map(std::env::split_paths)));
    }
    if let Some(url) = &settings.url {
        builder = builder.url(url);
    }
    match &settings.config {
        Some(file) => Ok(builder.config_file(file)?),
        None => Ok(builder),
    }
}

/// An error when nothing names a database.
pub(crate) fn require_url(settings: &Settings) -> Result<(), Failure> {
    if settings.url.is_some() || settings.config.is_some() || std::env::var_os("DATABASE_URL").is_some() {
        return Ok(());
    }
    Err(Failure::usage("CLI_NO_URL", "no database is named")
        .explained("Neither --url nor --config was given, and the environment variable DATABASE_URL is not set.")
        .fixed_by("Set it, for example: DATABASE_URL=sqlite:app.db")
        .fixed_by("Or give the URL on the command line: --url sqlite:app.db"))
}
