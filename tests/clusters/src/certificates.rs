//! Certificates, made on the spot.

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

/// What a server with TLS can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// For `localhost` and 127.0.0.1, signed by [`crate::tls::ca`].
    Good,
    /// As the good one, but it ended in the year 2001.
    Expired,
    /// As the good one, but for the name `elsewhere.example`.
    ForAnotherName,
    /// As the good one, but signed by [`crate::tls::other_ca`].
    ByAnotherCa,
}

/// The files that a server with TLS needs, with their names.
pub(crate) fn files(client: &str) -> Result<Vec<(String, String)>> {
    let (ca, other) = (authority("the tests' CA")?, authority("another CA")?);
    let mut files = vec![("ca.pem".to_owned(), ca.pem()), ("other-ca.pem".to_owned(), other.pem())];
    let mut add = |name: &str, params: CertificateParams, issuer: &CertifiedIssuer<'_, KeyPair>| -> Result<()> {
        let key = KeyPair::generate()?;
        files.push((format!("{name}.pem"), params.signed_by(&key, issuer)?.pem()));
        files.push((format!("{name}.key"), key.serialize_pem()));
        Ok(())
    };
    let server = |names: &[&str]| holder(names, names[0], ExtendedKeyUsagePurpose::ServerAuth);
    let here = ["localhost", "127.0.0.1"];
    add(Certificate::Good.name(), server(&here)?, &ca)?;
    add(Certificate::Expired.name(), expired(server(&here)?), &ca)?;
    add(Certificate::ForAnotherName.name(), server(&["elsewhere.example"])?, &ca)?;
    add(Certificate::ByAnotherCa.name(), server(&here)?, &other)?;
    let client = holder(&[], client, ExtendedKeyUsagePurpose::ClientAuth)?;
    add("client", client.clone(), &ca)?;
    add("client-expired", expired(client.clone()), &ca)?;
    add("client-by-another-ca", client, &other)?;
    Ok(files)
}

impl Certificate {
    /// The name of its files, without their endings.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Good => "server",
            Self::Expired => "server-expired",
            Self::ForAnotherName => "server-for-another-name",
            Self::ByAnotherCa => "server-by-another-ca",
        }
    }
}

fn authority(name: &str) -> Result<CertifiedIssuer<'static, KeyPair>> {
    let mut params = holder(&[], name, ExtendedKeyUsagePurpose::Any)?;
    params.extended_key_usages.clear();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

fn holder(names: &[&str], common_name: &str, purpose: ExtendedKeyUsagePurpose) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.extended_key_usages = vec![purpose];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(2100, 1, 1);
    Ok(params)
}

fn expired(mut params: CertificateParams) -> CertificateParams {
    params.not_after = date_time_ymd(2001, 1, 1);
    params
}
