//! What is measured, and what is aimed at.

/// Something that every contestant runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Case {
    /// How the case is called.
    pub name: &'static str,
    /// What is done.
    pub workload: Workload,
    /// Where the database is.
    pub place: Place,
    /// What is aimed at.
    pub targets: Targets,
}

/// What is done in one iteration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// One row is read by its primary key, on a connection that is held.
    Point,
    /// The same, on a connection from the pool, where the library has one.
    PointFromPool,
    /// 10,000 rows are read into a vector of structs.
    FetchAll,
    /// 100 rows are inserted, one a statement, in one transaction.
    InsertHundred,
    /// The same in one call, where the library has one for that.
    InsertHundredAtOnce,
    /// 1,000 rows are inserted by one statement that has all their values.
    InsertThousand,
    /// One row is inserted, outside of a transaction.
    InsertOne,
    /// 1,000 rows are inserted, one a statement, in one transaction; each is sent when the one before it is done.
    OneByOne,
    /// The same, sent without waiting in between, where the library can do that.
    Pipelined,
    /// 1,000 rows are read by their primary key, by 50 different statements in turn, of which each is sent when the one before it
    /// is done.
    Queries,
    /// The same, sent without waiting in between, where the library can do that.
    QueriesPipelined,
    /// One row is read by its primary key; the iterations are shared by eight tasks with a connection each. SQLite alone has
    /// eight connections too, and uses one after the other.
    EightTasks,
    /// A connection is taken from the pool and given back. SQLite alone locks and unlocks a mutex.
    Checkout,
    /// One row is read by its primary key, or in one iteration of ten inserted; the iterations are shared by 64 tasks, with the
    /// connections of a pool. SQLite alone does the same one after the other, on one connection.
    Mixed,
    /// A file of 1,000,000 lines is copied into a table.
    CopyFile,
    /// 1,000,000 rows that the program has are copied into a table.
    CopyRows,
    /// One row of a stream is read.
    Stream,
    /// One step of a single statement that returns nothing before its end.
    Count,
}

/// Where the database is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In memory, private to a connection.
    Memory,
    /// In a file of the contestant's own, with WAL and `synchronous=NORMAL`.
    File,
    /// On a server, in a database of the contestant's own.
    Server,
}

/// What is aimed at, where something is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Targets {
    /// The most wall-clock time, in multiples of what the contestant takes that all are compared with.
    pub wall: Option<f64>,
    /// The most processor time, likewise.
    pub cpu: Option<f64>,
    /// How many times as long sqlx takes, at least.
    pub over_sqlx: Option<f64>,
}

impl Case {
    /// What is measured on SQLite.
    pub const SQLITE: &[Self] = &[
        Self::new("point, memory, held", Workload::Point, Place::Memory, Targets::both(1.5, 3.0)),
        Self::new("point, memory, pool", Workload::PointFromPool, Place::Memory, Targets::both(2.5, 3.0)),
        Self::new("point, file, held", Workload::Point, Place::File, Targets::both(1.25, 3.0)),
        Self::new("point, file, pool", Workload::PointFromPool, Place::File, Targets::both(1.6, 3.0)),
        Self::new("fetch 10,000, memory", Workload::FetchAll, Place::Memory, Targets::both(1.05, 3.0)),
        Self::new("fetch 10,000, file", Workload::FetchAll, Place::File, Targets::both(1.05, 3.0)),
        Self::new("insert 100, memory", Workload::InsertHundred, Place::Memory, Targets::over_sqlx(3.0)),
        Self::new("insert 100, file", Workload::InsertHundred, Place::File, Targets::both(1.15, 3.0)),
        Self::new("insert 100, at once, memory", Workload::InsertHundredAtOnce, Place::Memory, Targets::over_sqlx(3.0)),
        Self::new("insert 100, at once, file", Workload::InsertHundredAtOnce, Place::File, Targets::both(1.15, 3.0)),
        Self::new("insert 1, memory", Workload::InsertOne, Place::Memory, Targets::over_sqlx(3.0)),
        Self::new("insert 1, file", Workload::InsertOne, Place::File, Targets::both(1.1, 2.0)),
        Self::new(
            "eight tasks, file",
            Workload::EightTasks,
            Place::File,
            Targets { wall: None, cpu: Some(1.3), over_sqlx: Some(3.0) },
        ),
        Self::new("checkout, file", Workload::Checkout, Place::File, Targets::over_sqlx(3.0)),
        Self::new("64 tasks, a tenth of it writes, file", Workload::Mixed, Place::File, Targets::over_sqlx(3.0)),
    ];

    /// What is measured on PostgreSQL in multiples of tokio-postgres.
    pub const POSTGRES: &[Self] = &[
        Self::new("point, held", Workload::Point, Place::Server, Targets::of(1.08, 1.2)),
        Self::new("point, pool", Workload::PointFromPool, Place::Server, Targets::NONE),
        Self::new("eight connections", Workload::EightTasks, Place::Server, Targets::wall(1.05)),
        Self::new(
            "fetch 10,000",
            Workload::FetchAll,
            Place::Server,
            Targets { wall: Some(0.95), cpu: Some(1.0), over_sqlx: Some(1.0) },
        ),
        Self::new("insert 1,000 rows", Workload::InsertThousand, Place::Server, Targets::wall(1.05)),
        Self::ONE_BY_ONE,
        Self::PIPELINED,
        Self::QUERIES,
        Self::QUERIES_PIPELINED,
    ];

    /// 1,000 inserts, for comparison with [`PIPELINED`](Self::PIPELINED).
    pub const ONE_BY_ONE: Self =
        Self::new("1,000 inserts, one by one", Workload::OneByOne, Place::Server, Targets::NONE);

    /// 1,000 inserts at once.
    pub const PIPELINED: Self =
        Self::new("1,000 inserts, pipelined", Workload::Pipelined, Place::Server, Targets::NONE);

    /// 1,000 different queries, for comparison with [`QUERIES_PIPELINED`](Self::QUERIES_PIPELINED).
    pub const QUERIES: Self =
        Self::new("1,000 different queries, one by one", Workload::Queries, Place::Server, Targets::NONE);

    /// 1,000 different queries at once.
    pub const QUERIES_PIPELINED: Self =
        Self::new("1,000 different queries, pipelined", Workload::QueriesPipelined, Place::Server, Targets::NONE);

    /// What is measured on PostgreSQL in multiples of psql.
    pub const COPY: &[Self] = &[
        Self::new("copy a file of 1,000,000 lines", Workload::CopyFile, Place::Server, Targets::wall(1.1)),
        Self::new("copy 1,000,000 rows", Workload::CopyRows, Place::Server, Targets::wall(1.1)),
    ];

    /// For the use of memory.
    pub const STREAM: Self = Self::new("stream, memory", Workload::Stream, Place::Memory, Targets::NONE);

    /// For timers beside a long statement.
    pub const COUNT: Self = Self::new("count, memory", Workload::Count, Place::Memory, Targets::NONE);

    const fn new(name: &'static str, workload: Workload, place: Place, targets: Targets) -> Self {
        Self { name, workload, place, targets }
    }

    /// The case of this name.
    pub fn named(name: &str) -> Option<Self> {
        let all = [Self::SQLITE, Self::POSTGRES, Self::COPY, &[Self::STREAM, Self::COUNT]];
        all.into_iter().flatten().find(|case| case.name == name).copied()
    }

    /// How many connections are held during the case.
    pub fn connections(&self) -> usize {
        match self.workload {
            Workload::PointFromPool | Workload::Checkout => 0,
            Workload::EightTasks => 8,
            _ => 1,
        }
    }

    /// Whether rows are written, which the next segment is not to find.
    pub fn writes(&self) -> bool {
        use Workload::{
            CopyFile, CopyRows, InsertHundred, InsertHundredAtOnce, InsertOne, InsertThousand, Mixed, OneByOne,
            Pipelined,
        };
        matches!(
            self.workload,
            InsertHundred
                | InsertHundredAtOnce
                | InsertThousand
                | InsertOne
                | Mixed
                | OneByOne
                | Pipelined
                | CopyFile
                | CopyRows
        )
    }

    /// The name of the case's file.
    pub fn file_name(&self) -> String {
        format!("{}.db", self.name.replace(", ", "-").replace([' ', ','], ""))
    }
}

impl Targets {
    const NONE: Self = Self { wall: None, cpu: None, over_sqlx: None };

    const fn wall(wall: f64) -> Self {
        Self { wall: Some(wall), cpu: None, over_sqlx: None }
    }

    const fn of(wall: f64, cpu: f64) -> Self {
        Self { wall: Some(wall), cpu: Some(cpu), over_sqlx: None }
    }

    const fn both(wall: f64, over_sqlx: f64) -> Self {
        Self { wall: Some(wall), cpu: None, over_sqlx: Some(over_sqlx) }
    }

    const fn over_sqlx(over_sqlx: f64) -> Self {
        Self { wall: None, cpu: None, over_sqlx: Some(over_sqlx) }
    }
}
