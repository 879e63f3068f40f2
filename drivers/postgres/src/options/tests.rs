use super::*;

fn parse(url: &str) -> Options {
    Options::parse(url, &|_| None).unwrap_or_else(|error| panic!("{url}: {error}"))
}

fn refused(url: &str) -> Error {
    let error = Options::parse(url, &|_| None).expect_err(url);
    assert_eq!(error.kind(), ErrorKind::CONFIGURATION, "{url}: {error}");
    error
}

fn places(options: &Options) -> Vec<(&str, Option<&str>, u16)> {
    options.hosts.iter().map(|host| (host.host.as_str(), host.hostaddr.as_deref(), host.port)).collect()
}

#[test]
fn hosts_are_lists() {
    assert_eq!(
        places(&parse("postgres://a,b:6000,[::1]/d")),
        [("a", None, 5432), ("b", None, 6000), ("::1", None, 5432)]
    );
    assert_eq!(places(&parse("postgres://a,b/d?port=7")), [("a", None, 7), ("b", None, 7)]);
    assert_eq!(places(&parse("postgres:///d?host=/tmp,x&port=1,2")), [("/tmp", None, 1), ("x", None, 2)]);
    assert_eq!(places(&parse("postgres://x/d?hostaddr=127.0.0.1")), [("x", Some("127.0.0.1"), 5432)]);
    assert_eq!(places(&parse("postgres:///d?hostaddr=::1")), [("::1", Some("::1"), 5432)]);
    for url in ["postgres://a,b,c/?port=1,2", "postgres://a,b/?hostaddr=::1", "postgres://a:0/", "postgres://a:65536/"]
    {
        refused(url);
    }
}

#[test]
fn parameters_are_read() {
    let options = parse(
        "postgres://me:x@h/d?options=-c%20geqo%3Doff&options[search_path]=a%20b&connect_timeout=3&sslmode=verify-ca\
         &channel_binding=require&target_session_attrs=prefer-standby&load_balance_hosts=random&keepalives=0\
         &keepalives_idle=7&tcp_user_timeout=250&require_auth=!password,!md5&prepared_statements=unnamed",
    );
    assert_eq!((options.user.as_str(), options.dbname.as_str()), ("me", "d"));
    assert_eq!(options.options.as_deref(), Some("-c geqo=off -c search_path=a\\ b"));
    assert_eq!(options.connect_timeout, Some(Duration::from_secs(3)));
    assert_eq!((options.sslmode, options.channel_binding), (SslMode::VerifyCa, ChannelBinding::Require));
    assert_eq!(options.target_session_attrs, TargetSessionAttrs::PreferStandby);
    assert!(options.load_balance && !options.tcp.keepalive && !options.named_statements);
    assert_eq!((options.tcp.keepalive_idle_ms, options.tcp.user_timeout_ms), (7000, 250));
    let methods = options.require_auth.clone().unwrap();
    assert!(methods.allows(AuthMethod::ScramSha256) && !methods.allows(AuthMethod::Md5));
    assert!(!format!("{options:?}").contains('x'), "a password is shown: {options:?}");
}

#[test]
fn the_environment_says_what_the_url_does_not() {
    let environment = |name: &str| match name {
        "PGHOST" => Some("envhost".into()),
        "PGPORT" => Some("7777".into()),
        "PGUSER" => Some("envuser".into()),
        "PGSSLMODE" => Some("disable".into()),
        "PGAPPNAME" => Some(String::new()),
        _ => None,
    };
    let options = Options::parse("postgres://", &environment).unwrap();
    assert_eq!(places(&options), [("envhost", None, 7777)]);
    assert_eq!(
        (options.user.as_str(), options.dbname.as_str(), options.sslmode),
        ("envuser", "envuser", SslMode::Disable)
    );
    assert_eq!(options.application_name, None);
    let options = Options::parse("postgres://me@h:1/d?ssl=true", &environment).unwrap();
    assert_eq!(places(&options), [("h", None, 1)]);
    assert_eq!((options.user.as_str(), options.sslmode), ("me", SslMode::Require));
    let wrong = |name: &str| (name == "PGSSLMODE").then(|| "yes".to_owned());
    let error = Options::parse("postgres://h/", &wrong).unwrap_err();
    assert!(error.to_string().contains("PGSSLMODE"), "{error}");
}

#[test]
fn what_is_wrong_is_named_with_what_would_be_right() {
    let unknown = refused("postgres://h/d?ssl_mode=require");
    assert!(unknown.to_string().contains("did you mean `sslmode`?"), "{unknown}");
    assert!(unknown.record().hint.contains("target_session_attrs"));
    assert!(refused("postgres://h/d?sslmode=on").record().hint.contains("verify-full"));
    for url in [
        "postgres://h/d?sslrootcert=system&sslmode=require",
        "postgres://h/d?sslnegotiation=direct",
        "postgres://h/d?sslcert=x",
        "postgres://h/d?channel_binding=require&sslmode=disable",
        "postgres://h/d?require_auth=md5,!password",
        "postgres://h/d?connect_timeout=-1",
        "postgres://h/d?options[a%20b]=1",
        "postgres://h/d?ssl=maybe",
    ] {
        refused(url);
    }
    assert_eq!(parse("postgres://h/d?sslrootcert=system").sslmode, SslMode::VerifyFull);
}

#[test]
fn what_libpq_has_and_this_driver_has_not_is_refused_with_what_to_do_instead() {
    for (parameter, instead) in [
        ("service=app", "service file"),
        ("gssencmode=require", "TLS"),
        ("krbsrvname=postgres", "GSSAPI"),
        ("sslcrl=/crl.pem", "revoked"),
        ("sslcrldir=/crls", "revoked"),
        ("sslpassword=geheim", "openssl pkey"),
        ("ssl_min_protocol_version=TLSv1.3", "TLS 1.2 and 1.3"),
        ("requirepeer=postgres", "Unix socket"),
        ("replication=database", "replication"),
        ("client_encoding=LATIN1", "UTF-8"),
        ("oauth_client_secret=geheim", "OAuth"),
    ] {
        let error = refused(&format!("postgres://h/d?{parameter}"));
        let (name, _) = parameter.split_once('=').unwrap();
        assert!(error.to_string().contains(name) && error.record().hint.contains(instead), "{parameter}: {error:?}");
        assert!(!format!("{error:?}").contains("geheim"), "{error:?}");
    }
    // What asks for what is done anyway is no error.
    parse(
        "postgres://h/d?gssencmode=prefer&client_encoding=UTF8&sslcompression=0&ssl_min_protocol_version=TLSv1.2&replication=false",
    );
    for (variable, value) in [("PGSERVICE", "app"), ("PGSSLCRL", "/crl.pem"), ("PGGSSENCMODE", "require")] {
        let error = Options::parse("postgres://h/d", &|name| (name == variable).then(|| value.into())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CONFIGURATION);
        assert!(error.to_string().contains(variable), "{error}");
    }
    Options::parse("postgres://h/d", &|name| (name == "PGGSSENCMODE").then(|| "disable".into())).unwrap();
}
