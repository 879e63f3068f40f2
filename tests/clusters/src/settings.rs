//! The settings of throwaway servers.

/// Quick and small: nothing that a server holds has to outlive it.
const SETTINGS: &[(&str, &str)] = &[
    ("listen_addresses", "127.0.0.1"),
    ("unix_socket_permissions", "0700"),
    ("max_connections", "200"),
    ("max_prepared_transactions", "10"),
    ("shared_buffers", "16MB"),
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("timezone", "UTC"),
    ("log_line_prefix", "%m [%p] %q%u@%d "),
];

/// Over TCP a password is needed, since everybody on this machine can connect. It is sent as it is: hashing costs a
/// client that was compiled without optimization a tenth of a second a connection. Nobody else can reach the socket.
pub(crate) const HBA: &str = "\
local all         all              trust
local replication all              trust
host  all         all 127.0.0.1/32 password
";

/// The lines of a configuration file. Of two for the same setting the later one holds.
pub(crate) fn lines(more: &[(&str, &str)]) -> String {
    let line = |(name, value): &(&str, &str)| format!("{name} = '{}'\n", value.replace('\'', "''"));
    SETTINGS.iter().chain(more).map(line).collect()
}
