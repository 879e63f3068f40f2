//! Notifications, as a stream that outlives its connections.

use crate::{
    Database, DbError, DbErrorKind, IntoSql, RowStream,
    cursor::Cursor,
    encode,
    pool::{Pool, PooledSession},
    transaction::SessionRef,
};
use futures_core::Stream;
use montrs_driver_abi::ParamBuffer;
use std::{
    future::poll_fn,
    panic::Location,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Instant, sleep, timeout};

/// What a [`Listener`] hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenEvent {
    /// Somebody has notified a channel.
    Notification(Notification),
    /// The connection was lost. By now there is another one, which listens again; what was notified in between is gone.
    /// Whoever keeps something up to date by notifications reads it anew.
    MayHaveMissed,
}

/// A notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The channel.
    pub channel: String,
    /// The text that was sent along; empty when there is none.
    pub payload: String,
    /// The number of the database's process that serves the sender.
    pub process: i32,
}

/// Notifications on some channels, from [`Database::listen`] on until it is dropped.
///
/// It is a [`Stream`]; [`next`](Self::next) takes its items without a crate for streams. It holds a connection of the pool.
/// When that is lost, it takes another one, as often as it must: first at once, then after 100 ms, and so on up to 10
/// seconds. Then it listens again, and says that it [may have missed](ListenEvent::MayHaveMissed) something. All this is done while
/// somebody waits for an item.
///
/// An error that waiting does not mend, such as a refused login, is an item too. The item after it is tried for all the
/// same.
///
/// When the database is [closed](Database::close), who awaits an item gets [`PoolClosed`](DbErrorKind::PoolClosed) at once, whatever
/// has come in and was not taken yet; that ends the stream, which gives its connection back. A listener that nobody awaits holds
/// its connection until it is dropped. It counts as a handle of the database: with it, the pool goes on when all others are gone.
#[must_use = "a listener that is dropped hears nothing"]
pub struct Listener {
    target: Arc<Target>,
    state: State,
    /// Ends when the database is closed.
    closing: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// How many attempts to listen again have failed, or have not lasted.
    attempts: u32,
    /// Since when it has listened on this connection.
    since: Instant,
}

/// Where to listen.
struct Target {
    db: Database,
    channels: Vec<String>,
    /// The caller, for others who wait for a connection.
    at: &'static Location<'static>,
}

type Notifications = RowStream<'static, (String, String, i32)>;

enum State {
    Listening(Notifications),
    Connecting(Pin<Box<dyn Future<Output = Result<Notifications, DbError>> + Send>>),
    Ended,
}

/// The operation of the driver's that is used.
const COMMAND: &str = "listen";
/// How long the database may take to answer it.
const PATIENCE: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

impl Listener {
    pub(crate) async fn new(
        db: Database,
        channels: Vec<String>,
        at: &'static Location<'static>,
    ) -> Result<Self, DbError> {
        let closing = Box::pin(db.clone().closed());
        let target = Arc::new(Target { db, channels, at });
        let state = State::Listening(target.listen().await?);
        Ok(Self { target, state, closing, attempts: 0, since: Instant::now() })
    }

    /// The next notification, or that some may have been missed. Dropping the future loses nothing. `None` only after the error
    /// that the database was closed.
    pub async fn next(&mut self) -> Option<Result<ListenEvent, DbError>> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<ListenEvent, DbError>>> {
        if !matches!(self.state, State::Ended) && self.closing.as_mut().poll(cx).is_ready() {
            // With it goes the connection, which the closing may wait for.
            self.state = State::Ended;
            return Poll::Ready(Some(Err(Pool::closed_error())));
        }
        loop {
            match &mut self.state {
                State::Listening(notifications) => match ready!(notifications.poll_row(cx)) {
                    Some(Ok((channel, payload, process))) => {
                        let notification = Notification { channel, payload, process };
                        return Poll::Ready(Some(Ok(ListenEvent::Notification(notification))));
                    }
                    // Whatever it was that has ended it.
                    Some(Err(_)) | None => {
                        if self.since.elapsed() > LONGEST_PAUSE {
                            self.attempts = 0;
                        }
                        self.connect();
                    }
                },
                State::Connecting(connecting) => match ready!(connecting.as_mut().poll(cx)) {
                    Ok(notifications) => {
                        (self.state, self.since) = (State::Listening(notifications), Instant::now());
                        return Poll::Ready(Some(Ok(ListenEvent::MayHaveMissed)));
                    }
                    Err(error) => {
                        self.connect();
                        if is_mended_by_waiting(&error) {
                            continue;
                        }
                        return Poll::Ready(Some(Err(error)));
                    }
                },
                State::Ended => return Poll::Ready(None),
            }
        }
    }

    /// Begins the next attempt, which waits first unless it is the first one.
    fn connect(&mut self) {
        let pause = match self.attempts {
            0 => Duration::ZERO,
            attempts => LONGEST_PAUSE.min(FIRST_PAUSE.saturating_mul(1 << (attempts - 1).min(16))),
        };
        self.attempts = self.attempts.saturating_add(1);
        let target = self.target.clone();
        self.state = State::Connecting(Box::pin(async move {
            sleep(pause).await;
            target.listen().await
        }));
    }
}

impl Target {
    /// Listens on a connection of the pool.
    async fn listen(&self) -> Result<Notifications, DbError> {
        loop {
            let session = self.db.checkout(self.at).await?;
            match timeout(PATIENCE, self.listen_on(session)).await {
                Ok(Ok(notifications)) => return Ok(notifications),
                // It was lost long before, as the other idle ones may be.
                Ok(Err(error)) if error.kind() == DbErrorKind::ConnectionLost && self.db.pool_status().idle > 0 => {}
                Ok(Err(error)) => return Err(error.in_statement(COMMAND)),
                Err(_) => {
                    let message = format!("the database did not answer `{COMMAND}` within {PATIENCE:?}");
                    return Err(DbError::new(DbErrorKind::ConnectionLost, message));
                }
            }
        }
    }

    async fn listen_on(&self, mut session: PooledSession) -> Result<Notifications, DbError> {
        let mut channels = ParamBuffer::default();
        for channel in &self.channels {
            encode::push(&mut channels, None, channel)
                .map_err(|error| DbError::new(DbErrorKind::Encode, format!("the channel cannot be sent: {error}")))?;
        }
        session.run_command(&COMMAND.into_sql(), &channels, 0).await?;
        let cursor = Cursor::new(SessionRef::Pooled(session));
        Ok(RowStream::new(async move { Ok(cursor) }))
    }
}

fn is_mended_by_waiting(error: &DbError) -> bool {
    error.is_retryable() || matches!(error.kind(), DbErrorKind::Connection | DbErrorKind::ConnectionLost)
}

impl Stream for Listener {
    type Item = Result<ListenEvent, DbError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_event(cx)
    }
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener").field("channels", &self.target.channels).finish_non_exhaustive()
    }
}
