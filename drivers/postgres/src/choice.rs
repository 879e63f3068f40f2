//! Parameters with few possible values.

/// A parameter with few possible values.
pub(crate) trait Choice: Copy + 'static {
    const ALL: &'static [(&'static str, Self)];
}

/// The value of this text.
pub(crate) fn choice<C: Choice>(value: &str) -> Option<C> {
    C::ALL.iter().find(|(text, _)| *text == value).map(|(_, choice)| *choice)
}

/// All texts, for people.
pub(crate) fn names<C: Choice>() -> String {
    C::ALL.iter().map(|(text, _)| *text).collect::<Vec<_>>().join(", ")
}

/// Declares an enum with the text for each of its values.
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum $name {
            $($(#[$value_doc])* $value,)*
        }

        impl Choice for $name {
            const ALL: &'static [(&'static str, Self)] = &[$(($text, Self::$value),)*];
        }
    };
}

choice! {
    /// Whether TLS is used, from the weakest to the strongest.
    SslMode {
        Disable = "disable",
        /// TLS only where the server refuses without.
        Allow = "allow",
        /// No TLS only where the server has none.
        Prefer = "prefer",
        Require = "require",
        /// The certificate is checked, but for the host's name.
        VerifyCa = "verify-ca",
        VerifyFull = "verify-full",
    }
}

choice! {
    /// Whether logging in is bound to the TLS connection.
    ChannelBinding {
        Disable = "disable",
        Prefer = "prefer",
        Require = "require",
    }
}

choice! {
    /// What a server must be to be connected to.
    TargetSessionAttrs {
        Any = "any",
        ReadWrite = "read-write",
        ReadOnly = "read-only",
        Primary = "primary",
        Standby = "standby",
        PreferStandby = "prefer-standby",
    }
}

choice! {
    SslNegotiation {
        Postgres = "postgres",
        Direct = "direct",
    }
}

choice! {
    LoadBalanceHosts {
        Disable = "disable",
        Random = "random",
    }
}

choice! {
    PreparedStatements {
        Named = "named",
        Unnamed = "unnamed",
    }
}

choice! {
    /// A way to log in.
    AuthMethod {
        Password = "password",
        Md5 = "md5",
        ScramSha256 = "scram-sha-256",
        None = "none",
    }
}
