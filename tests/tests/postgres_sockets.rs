//! What the URL says of keepalives and of the limit for what is not acknowledged, as the socket has it.

#![cfg(target_os = "linux")]

mod postgres;

use montrs_orm::Database;
use montrs_tests::builder;
use postgres::{url, with};
use rustix::{
    fd::OwnedFd,
    net::{
        SocketAddrV4, getsockname,
        sockopt::{socket_keepalive, tcp_keepcnt, tcp_keepidle, tcp_keepintvl, tcp_nodelay, tcp_user_timeout},
    },
    process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open},
};
use std::{fs, time::Duration};

/// The socket of the database's only connection: that of this process which has its port.
async fn socket(db: &Database) -> OwnedFd {
    let port: i32 = db.query("SELECT inet_client_port()").fetch_scalar().await.unwrap();
    let own = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
    fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|number| pidfd_getfd(&own, number, PidfdGetfdFlags::empty()).ok())
        .find(|socket| {
            let address = getsockname(socket).ok().and_then(|address| SocketAddrV4::try_from(address).ok());
            address.is_some_and(|address| i32::from(address.port()) == port)
        })
        .expect("the connection has a socket")
}

/// Whether there are keepalives; after how long, how often, how many; and the limit for what is not acknowledged.
async fn set_by(parameters: &str) -> (bool, Duration, Duration, u32, u32) {
    let db = builder(&with(&url(), parameters)).max_connections(1).connect().await.unwrap();
    let socket = socket(&db).await;
    assert!(tcp_nodelay(&socket).unwrap());
    (
        socket_keepalive(&socket).unwrap(),
        tcp_keepidle(&socket).unwrap(),
        tcp_keepintvl(&socket).unwrap(),
        tcp_keepcnt(&socket).unwrap(),
        tcp_user_timeout(&socket).unwrap(),
    )
}

#[tokio::test]
async fn the_socket_has_the_keepalives_and_the_limit_of_the_url() {
    let seconds = Duration::from_secs;
    let (is_on, idle, interval, count, limit) = set_by("keepalives=1").await;
    assert!(is_on && limit == 0, "the default is on, with the system's times");
    assert!(set_by("connect_timeout=60").await.0);
    let all = "keepalives=1&keepalives_idle=77&keepalives_interval=7&keepalives_count=4&tcp_user_timeout=54321";
    assert_eq!(set_by(all).await, (true, seconds(77), seconds(7), 4, 54_321));
    assert_eq!(set_by("keepalives_idle=78").await, (true, seconds(78), interval, count, 0));
    assert_eq!(set_by("keepalives_interval=8").await, (true, idle, seconds(8), count, 0));
    assert_eq!(set_by("keepalives_count=5").await, (true, idle, interval, 5, 0));
    // libpq, too, leaves the times alone then; the limit is another matter.
    assert_eq!(
        set_by("keepalives=0&keepalives_idle=79&tcp_user_timeout=98765").await,
        (false, idle, interval, count, 98_765)
    );
}
