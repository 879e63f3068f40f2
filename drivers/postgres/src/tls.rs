//! TLS, by rustls: what is trusted, and how a connection is set up.

use crate::{
    choice::SslMode,
    connect::unreachable,
    options::{Options, RootCertificates, configuration},
    permissions,
    stream::Stream,
};
use montrs_driver_sdk::{Error, ErrorKind, Result, Socket};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, InconsistentKeys, RootCertStore,
        SignatureScheme,
        client::{
            WebPkiServerVerifier,
            danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
            verify_server_name,
        },
        crypto::{CryptoProvider, ring},
        server::ParsedCertificate,
        sign::{CertifiedKey, SingleCertAndKey},
    },
};

/// What is the same for all connections of a database.
pub(crate) struct Tls {
    connector: TlsConnector,
    is_direct: bool,
}

const NOT_DIRECT: &str = "leave out `sslnegotiation=direct`, which servers before PostgreSQL 17 do not know";
/// The protocol's name in the handshake.
const ALPN: &[u8] = b"postgresql";

impl Tls {
    /// Reads the certificates that the options name. Blocks.
    pub(crate) fn new(options: &Options) -> Result<Self> {
        let provider = Arc::new(ring::default_provider());
        let verifier = Arc::new(Verifier::new(options, &provider)?);
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| tls(format!("TLS cannot be set up: {error}")))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match client_certificate(options)? {
            Some((chain, key)) => builder.with_client_cert_resolver(Arc::new(identity(chain, key)?)),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), is_direct: options.ssl_direct })
    }

    /// Sets up TLS with the server of this name or address.
    pub(crate) async fn connect(&self, host: &str, socket: Socket) -> Result<Stream> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            tls(format!("`{host}` is neither a host's name nor an address, so no certificate can be for it"))
        })?;
        let stream = self.connector.connect(name, socket).await.map_err(|error| {
            let hint = match error.get_ref().and_then(|error| error.downcast_ref::<TlsError>()) {
                None => {
                    let lost = unreachable(format!("the connection to {host} was lost while TLS was set up: {error}"));
                    return if self.is_direct { lost.with_hint(NOT_DIRECT) } else { lost };
                }
                Some(TlsError::InvalidCertificate(CertificateError::UnknownIssuer)) => {
                    "name the authority that has signed the server's certificate with `sslrootcert`"
                }
                Some(TlsError::InvalidCertificate(_)) => "the certificate must be valid and be for the host's name",
                Some(_) => "",
            };
            tls(format!("TLS with {host} failed: {error}")).with_hint(hint)
        })?;
        // Without this, a server that speaks something else could be made to answer.
        if self.is_direct && stream.get_ref().1.alpn_protocol() != Some(ALPN) {
            return Err(tls(format!("{host} does not speak PostgreSQL over TLS without being asked first"))
                .with_hint(NOT_DIRECT));
        }
        Ok(Stream::Tls(Box::new(stream)))
    }
}

/// Checks as much of a server's certificate as the options ask for.
#[derive(Debug)]
struct Verifier {
    /// `None` where it is not checked who the server is.
    roots: Option<(Arc<WebPkiServerVerifier>, Vec<CertificateDer<'static>>)>,
    checks_name: bool,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn new(options: &Options, provider: &Arc<CryptoProvider>) -> Result<Self> {
        let default = home_file("root.crt");
        let roots = match (&options.sslrootcert, options.sslmode) {
            (Some(RootCertificates::System), _) => Some(system_certificates()?),
            (Some(RootCertificates::File(path)), _) => {
                // Without it nothing could be checked, so libpq ignores a missing file where nothing needs to be.
                if options.sslmode < SslMode::VerifyCa && !path.exists() {
                    None
                } else {
                    Some(certificates(path, "sslrootcert")?)
                }
            }
            (None, SslMode::VerifyCa | SslMode::VerifyFull) => match default.filter(|path| path.exists()) {
                Some(path) => Some(certificates(&path, "sslrootcert")?),
                None => {
                    return Err(configuration("there is no certificate to check the server's against").with_hint(
                        "name a file with `sslrootcert`, put it at ~/.postgresql/root.crt, or use `sslrootcert=system`",
                    ));
                }
            },
            // As libpq does: a file at this place makes `require` check against it.
            (None, SslMode::Require) => match default.filter(|path| path.exists()) {
                Some(path) => Some(certificates(&path, "sslrootcert")?),
                None => None,
            },
            (None, _) => None,
        };
        let checks = options.sslmode >= SslMode::Require;
        let roots = match roots.filter(|_| checks) {
            None => None,
            Some(roots) => {
                let mut store = RootCertStore::empty();
                store.add_parsable_certificates(roots.iter().cloned());
                let verifier =
                    WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider.clone())
                        .build()
                        .map_err(|error| configuration(format!("the root certificates cannot be used: {error}")))?;
                Some((verifier, roots))
            }
        };
        Ok(Self { roots, checks_name: options.sslmode == SslMode::VerifyFull, provider: provider.clone() })
    }

    /// The server shows the very certificate that is trusted, which need not be an authority's then.
    fn is_trusted_itself(
        &self,
        end_entity: &CertificateDer<'_>,
        server_name: &ServerName<'_>,
        roots: &[CertificateDer<'_>],
        error: &TlsError,
    ) -> bool {
        let is_timely = !matches!(
            error,
            TlsError::InvalidCertificate(
                CertificateError::Expired
                    | CertificateError::ExpiredContext { .. }
                    | CertificateError::NotValidYet
                    | CertificateError::NotValidYetContext { .. }
            )
        );
        let names_host = || {
            let parsed = ParsedCertificate::try_from(end_entity);
            !self.checks_name || parsed.is_ok_and(|parsed| verify_server_name(&parsed, server_name).is_ok())
        };
        is_timely && roots.contains(end_entity) && names_host()
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let Some((verifier, roots)) = &self.roots else {
            return Ok(ServerCertVerified::assertion());
        };
        match verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The name is checked last.
            Err(TlsError::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.checks_name => Ok(ServerCertVerified::assertion()),
            Err(error) if self.is_trusted_itself(end_entity, server_name, roots, &error) => {
                Ok(ServerCertVerified::assertion())
            }
            result => result,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.provider.signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.provider.signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn system_certificates() -> Result<Vec<CertificateDer<'static>>> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let why = found.errors.first().map_or_else(|| "there are none".to_owned(), ToString::to_string);
        return Err(configuration(format!("the system's certificates cannot be read: {why}"))
            .with_hint("install them (on Debian, the package ca-certificates), or name a file with `sslrootcert`"));
    }
    Ok(found.certs)
}

fn certificates(path: &Path, parameter: &str) -> Result<Vec<CertificateDer<'static>>> {
    let unreadable = |error: &dyn std::fmt::Display| {
        configuration(format!("the certificates in {} (`{parameter}`) cannot be read: {error}", path.display()))
    };
    let pem = fs::read(path).map_err(|error| unreadable(&error))?;
    let found: Vec<_> =
        CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().map_err(|error| unreadable(&error))?;
    if found.is_empty() { Err(unreadable(&"there is none in PEM format")) } else { Ok(found) }
}

type ClientCertificate = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn client_certificate(options: &Options) -> Result<Option<ClientCertificate>> {
    let (certificate, key) = match (&options.sslcert, &options.sslkey) {
        (Some(certificate), Some(key)) => (certificate.clone(), key.clone()),
        _ => match (home_file("postgresql.crt"), home_file("postgresql.key")) {
            (Some(certificate), Some(key)) if certificate.exists() && key.exists() => (certificate, key),
            _ => return Ok(None),
        },
    };
    let chain = certificates(&certificate, "sslcert")?;
    Ok(Some((chain, private_key(&key)?)))
}

/// The certificate is for the server to judge: also one of version 1, which rustls does not read, may be what it wants.
fn identity(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<SingleCertAndKey> {
    let unusable = |error: &TlsError| configuration(format!("`sslcert` and `sslkey` cannot be used together: {error}"));
    let key = ring::default_provider().key_provider.load_private_key(key).map_err(|error| unusable(&error))?;
    let identity = CertifiedKey::new(chain, key);
    match identity.keys_match() {
        Err(error @ TlsError::InconsistentKeys(InconsistentKeys::KeyMismatch)) => Err(unusable(&error)),
        _ => Ok(identity.into()),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    let unreadable = |error: &dyn std::fmt::Display| {
        configuration(format!("the key in {} (`sslkey`) cannot be read: {error}", path.display()))
    };
    let metadata = fs::metadata(path).map_err(|error| unreadable(&error))?;
    if permissions::others_may_use_key(&metadata) {
        return Err(unreadable(&"others may use it too").with_hint(format!("chmod 600 {}", path.display())));
    }
    let pem = fs::read(path).map_err(|error| unreadable(&error))?;
    let is_encrypted = [&b"BEGIN ENCRYPTED PRIVATE KEY"[..], b"Proc-Type: 4,ENCRYPTED"]
        .iter()
        .any(|sign| pem.windows(sign.len()).any(|part| part == *sign));
    if is_encrypted {
        return Err(unreadable(&"it is encrypted, which is not supported").with_hint(format!(
            "decrypt it with `openssl pkey -in {}`, and let nobody else read the result",
            path.display()
        )));
    }
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| unreadable(&error))
}

/// A file in libpq's directory of the user.
fn home_file(name: &str) -> Option<PathBuf> {
    std::env::home_dir().map(|home| home.join(".postgresql").join(name))
}

pub(crate) fn tls(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::TLS, message)
}
