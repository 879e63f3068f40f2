//! A blocking library, such as an embedded database is: it knows nothing of futures or drivers.

use std::{
    collections::BTreeMap,
    fs, io,
    io::Read,
    net::TcpStream,
    path::{Path, PathBuf},
};

/// Keys and values, kept in a file. Every method may block.
pub(crate) struct Store {
    /// `None` for a store in memory.
    path: Option<PathBuf>,
    values: BTreeMap<String, String>,
    /// What the values were when the transaction began.
    before: Option<BTreeMap<String, String>>,
}

impl Store {
    pub(crate) fn in_memory() -> Self {
        Self { path: None, values: BTreeMap::new(), before: None }
    }

    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text?,
        };
        let entries = text.lines().filter_map(|line| line.split_once('\t'));
        let values = entries.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        Ok(Self { path: Some(path.to_owned()), values, before: None })
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    /// Sets the value, or removes it; says whether that changed something.
    pub(crate) fn set(&mut self, key: &str, value: Option<String>) -> bool {
        match value {
            Some(value) => self.values.insert(key.to_owned(), value.clone()).as_ref() != Some(&value),
            None => self.values.remove(key).is_some(),
        }
    }

    /// Sets the value to all that a peer sends, and blocks until the peer closes.
    pub(crate) fn import(&mut self, key: &str, address: &str) -> io::Result<()> {
        let mut value = String::new();
        TcpStream::connect(address)?.read_to_string(&mut value)?;
        self.set(key, Some(value));
        Ok(())
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    pub(crate) fn begin(&mut self) {
        self.before = Some(self.values.clone());
    }

    pub(crate) fn commit(&mut self) {
        self.before = None;
    }

    pub(crate) fn rollback(&mut self) {
        if let Some(before) = self.before.take() {
            self.values = before;
        }
    }

    /// Writes the file.
    pub(crate) fn save(&self) -> io::Result<()> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let values = self.before.as_ref().unwrap_or(&self.values);
        let text: String = values.iter().map(|(key, value)| format!("{key}\t{value}\n")).collect();
        fs::write(path, text)
    }
}

impl Drop for Store {
    /// Writes the file, like a library that syncs when it is closed: dropping blocks too.
    fn drop(&mut self) {
        // There is nobody to tell.
        let _ = self.save();
    }
}
