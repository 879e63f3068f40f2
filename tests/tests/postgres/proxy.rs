//! A proxy before a server, which does to connections what networks do.

#![allow(dead_code, reason = "each test executable uses some of it")]

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
};

/// A proxy, which lives as long as its runtime.
pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    ToServer,
    ToClient,
}

/// What is done to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Both ends are closed.
    Close,
    /// Both ends are reset.
    Reset,
    /// Whoever was to get more gets something else.
    Garbage,
    /// Nothing comes through any more, in either direction.
    Hang,
    /// The direction is held up until [`Proxy::release`].
    Hold,
}

struct Shared {
    server: SocketAddr,
    plan: Mutex<Option<Plan>>,
    has_happened: Notify,
    released: Notify,
    is_cut_off: watch::Sender<bool>,
    connections: AtomicUsize,
    to_server: AtomicUsize,
    to_client: AtomicUsize,
}

struct Plan {
    fault: Fault,
    direction: Direction,
    bytes_left: usize,
}

impl Proxy {
    /// A proxy before the server that listens at this port of 127.0.0.1.
    pub(crate) async fn before(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let shared = Arc::new(Shared {
            server: ([127, 0, 0, 1], server).into(),
            plan: Mutex::default(),
            has_happened: Notify::new(),
            released: Notify::new(),
            is_cut_off: watch::Sender::new(false),
            connections: AtomicUsize::new(0),
            to_server: AtomicUsize::new(0),
            to_client: AtomicUsize::new(0),
        });
        let proxy = Self { port, shared: shared.clone() };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                shared.connections.fetch_add(1, Ordering::Relaxed);
                let shared = shared.clone();
                tokio::spawn(async move { shared.serve(client).await });
            }
        });
        proxy
    }

    /// The URL of a server, by way of this proxy.
    pub(crate) fn url(&self, server: &str) -> String {
        let port = format!(":{}/", self.shared.server.port());
        assert!(server.contains(&port), "another server");
        server.replace(&port, &format!(":{}/", self.port))
    }

    /// Does this to the connection over which, from now on, so many bytes have gone in this direction, counted over all connections;
    /// those bytes come through.
    pub(crate) fn plan(&self, fault: Fault, direction: Direction, after: usize) {
        *self.shared.plan.lock().unwrap() = Some(Plan { fault, direction, bytes_left: after });
    }

    /// Nothing is planned any more.
    pub(crate) fn forget(&self) {
        *self.shared.plan.lock().unwrap() = None;
        // What has happened was not waited for.
        let _ = std::pin::pin!(self.shared.has_happened.notified()).as_mut().enable();
    }

    /// Waits until what was planned has happened.
    pub(crate) async fn happened(&self) {
        self.shared.has_happened.notified().await;
    }

    /// Lets go on what was held up.
    pub(crate) fn release(&self) {
        self.shared.released.notify_one();
    }

    /// From now on nothing comes through, and nobody is told.
    pub(crate) fn cut_off(&self) {
        self.shared.is_cut_off.send_replace(true);
    }

    /// New connections come through again; the old ones are dead.
    pub(crate) fn restore(&self) {
        self.shared.is_cut_off.send_replace(false);
    }

    /// How many bytes have gone in this direction.
    pub(crate) fn count(&self, direction: Direction) -> usize {
        self.shared.counter(direction).load(Ordering::Relaxed)
    }

    /// How many connections there have been.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }
}

impl Shared {
    async fn serve(&self, mut client: TcpStream) {
        let mut is_cut_off = self.is_cut_off.subscribe();
        let cut_off = async move {
            let _ = is_cut_off.wait_for(|is| *is).await;
        };
        let serve = async {
            let mut server = TcpStream::connect(self.server).await.ok()?;
            let fault = {
                let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
                    (client.split(), server.split());
                tokio::select! {
                    fault = self.pump(Direction::ToServer, &mut from_client, &mut to_server) => fault,
                    fault = self.pump(Direction::ToClient, &mut from_server, &mut to_client) => fault,
                }
            };
            match fault? {
                Fault::Reset => {
                    let _ = (client.set_zero_linger(), server.set_zero_linger());
                }
                Fault::Hang => {
                    self.has_happened.notify_one();
                    std::future::pending::<()>().await;
                }
                Fault::Close | Fault::Garbage | Fault::Hold => {}
            }
            drop((client, server));
            self.has_happened.notify_one();
            Some(())
        };
        let mut serve = std::pin::pin!(serve);
        tokio::select! {
            biased;
            () = cut_off => std::future::pending().await,
            _ = &mut serve => {}
        }
    }

    /// Forwards bytes until the end, which is `None`, or the fault.
    async fn pump(
        &self,
        direction: Direction,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Option<Fault> {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let count = from.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
            self.counter(direction).fetch_add(count, Ordering::Relaxed);
            let Some((fault, passes)) = self.fault(direction, count) else {
                to.write_all(&buffer[..count]).await.ok()?;
                continue;
            };
            to.write_all(&buffer[..passes]).await.ok()?;
            match fault {
                Fault::Hold => {
                    self.has_happened.notify_one();
                    self.released.notified().await;
                    to.write_all(&buffer[passes..count]).await.ok()?;
                    continue;
                }
                Fault::Garbage => to.write_all(&[0xff; 64]).await.ok()?,
                Fault::Close | Fault::Reset | Fault::Hang => {}
            }
            return Some(fault);
        }
    }

    /// What is to be done now, and how many bytes pass before.
    fn fault(&self, direction: Direction, count: usize) -> Option<(Fault, usize)> {
        let mut guard = self.plan.lock().unwrap();
        let plan = guard.as_mut().filter(|plan| plan.direction == direction)?;
        if plan.bytes_left >= count {
            plan.bytes_left -= count;
            return None;
        }
        let fault = (plan.fault, plan.bytes_left);
        *guard = None;
        Some(fault)
    }

    fn counter(&self, direction: Direction) -> &AtomicUsize {
        match direction {
            Direction::ToServer => &self.to_server,
            Direction::ToClient => &self.to_client,
        }
    }
}
