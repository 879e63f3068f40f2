//! What a URL and the environment say, by the names that libpq has for it.

use crate::{
    choice::{Choice, choice, names},
    options::configuration,
    unsupported, url,
};
use montrs_driver_sdk::{Error, Result};
use std::{fmt, path::PathBuf};

/// The parameters of a URL, and the variables of the environment for them.
const PARAMETERS: &[(&str, &str)] = &[
    ("host", "PGHOST"),
    ("hostaddr", "PGHOSTADDR"),
    ("port", "PGPORT"),
    ("dbname", "PGDATABASE"),
    ("user", "PGUSER"),
    ("password", "PGPASSWORD"),
    ("passfile", "PGPASSFILE"),
    ("options", "PGOPTIONS"),
    ("application_name", "PGAPPNAME"),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ("sslmode", "PGSSLMODE"),
    ("ssl", ""),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("sslcert", "PGSSLCERT"),
    ("sslkey", "PGSSLKEY"),
    ("sslnegotiation", "PGSSLNEGOTIATION"),
    ("channel_binding", "PGCHANNELBINDING"),
    ("require_auth", "PGREQUIREAUTH"),
    ("target_session_attrs", "PGTARGETSESSIONATTRS"),
    ("load_balance_hosts", "PGLOADBALANCEHOSTS"),
    ("keepalives", ""),
    ("keepalives_idle", ""),
    ("keepalives_interval", ""),
    ("keepalives_count", ""),
    ("tcp_user_timeout", ""),
    ("prepared_statements", ""),
];

/// What was said, and where.
pub(crate) struct Settings {
    /// Name, value, and the variable of the environment that it comes from.
    pub(crate) all: Vec<(String, String, Option<&'static str>)>,
}

impl Settings {
    pub(crate) fn read(url: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let mut all = Vec::new();
        for (name, value) in url::parameters(url)? {
            match unsupported::check(&name, &value) {
                Some(checked) => checked?,
                None if is_known(&name) => all.push((name, value, None)),
                None => return Err(unknown(&name)),
            }
        }
        unsupported::check_environment(environment)?;
        let has_ssl = all.iter().any(|(name, ..)| name == "ssl");
        for &(name, variable) in PARAMETERS.iter().filter(|(_, variable)| !variable.is_empty()) {
            // `ssl` says what `sslmode` would.
            let is_said = all.iter().any(|(said, ..)| said == name) || (name == "sslmode" && has_ssl);
            if let Some(value) = environment(variable).filter(|value| !is_said && !value.is_empty()) {
                all.push((name.to_owned(), value, Some(variable)));
            }
        }
        Ok(Self { all })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all.iter().find(|(said, ..)| said == name).map(|(_, value, _)| value.as_str())
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(PathBuf::from)
    }

    pub(crate) fn bad_value(&self, name: &str, allowed: impl fmt::Display) -> Error {
        let value = self.get(name).unwrap_or_default();
        let variable = self.all.iter().find(|(said, ..)| said == name).and_then(|(.., variable)| *variable);
        let what = match variable {
            Some(variable) => format!("the environment variable {variable}"),
            None => format!("the parameter `{name}` in the URL"),
        };
        configuration(format!("{what} cannot be `{value}`")).with_hint(format!("`{name}` is {allowed}"))
    }

    pub(crate) fn choice<C: Choice>(&self, name: &str, default: C) -> Result<C> {
        let Some(value) = self.get(name) else { return Ok(default) };
        choice(value).ok_or_else(|| self.bad_value(name, format_args!("one of {}", names::<C>())))
    }

    pub(crate) fn number<N: std::str::FromStr>(&self, name: &str, default: N, what: &str) -> Result<N> {
        self.get(name).map_or(Ok(default), |value| value.trim().parse().map_err(|_| self.bad_value(name, what)))
    }
}

/// Whether the URL may have a parameter of this name.
pub(crate) fn is_known(name: &str) -> bool {
    PARAMETERS.iter().any(|(known, _)| *known == name) || single_option(name).is_some()
}

fn unknown(name: &str) -> Error {
    const SIMILAR: f64 = 0.6;
    let mut message = format!("the URL has an unknown parameter `{name}`");
    let nearest = PARAMETERS
        .iter()
        .map(|(known, _)| (strsim::normalized_damerau_levenshtein(&name.to_ascii_lowercase(), known), known))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    if let Some((_, nearest)) = nearest {
        message.push_str(&format!("; did you mean `{nearest}`?"));
    }
    let known: Vec<&str> = PARAMETERS.iter().map(|(known, _)| *known).collect();
    configuration(message).with_hint(format!("the parameters are {}, options[name]", known.join(", ")))
}

/// The setting that an `options[name]` is for.
pub(crate) fn single_option(name: &str) -> Option<&str> {
    let name = name.strip_prefix("options[")?.strip_suffix(']')?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    (!name.is_empty() && name.bytes().all(is_name)).then_some(name)
}
