//! Download of the offered files: each resumed where it broke off, counted and hashed, and renamed when it is whole.

use super::exchange::{Answer, Body};
use super::hasher::Hasher;
use super::remote::{Failure, Remote};
use super::store::{Store, free_space};
use super::{DOWNLOADING, Offer, OfferedFile};
use crate::hub::{Hub, HubError};
use crate::job::Monitor;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

/// Tries without progress before a download is given up.
const TRIES: u32 = 6;
/// Least bytes that count as progress.
const STEP: u64 = 1 << 20;
/// Bytes hashed at a time of a partial file.
const BLOCK: usize = 1 << 20;

/// Fetches every file, links it into its snapshot, and then writes the commit of the revision.
pub(super) fn fetch(hub: &Hub, offer: &Offer, monitor: &Monitor) -> Result<(), HubError> {
    let need = offer.to_come();
    let root = hub.cache.root();
    if let Some(free) = free_space(root).filter(|free| *free < need) {
        return Err(HubError::NoSpace { need, free, folder: root.to_owned() });
    }
    let remote = Remote::new(&hub.access, monitor);
    let mut tally = Tally { monitor, done: 0, total: offer.bytes() };
    for repo in &offer.repos {
        let store = Store::new(&hub.cache, &repo.repo);
        for file in &repo.files {
            let before = tally.done;
            if !store.has(&repo.commit, &file.name, file.size) {
                Coming { remote: &remote, store: &store, repo: &repo.repo, commit: &repo.commit, file }
                    .fetch(&mut tally)?;
            }
            tally.set(before.saturating_add(file.size))?;
        }
        store.point(&repo.revision, &repo.commit)?;
    }
    Ok(())
}

/// Bytes counted over all files.
struct Tally<'a> {
    monitor: &'a Monitor,
    done: u64,
    total: u64,
}

impl Tally<'_> {
    fn set(&mut self, done: u64) -> Result<(), HubError> {
        self.done = done;
        Ok(self.monitor.report(DOWNLOADING, done, self.total)?)
    }
}

/// A file being downloaded.
struct Coming<'a> {
    remote: &'a Remote<'a>,
    store: &'a Store,
    repo: &'a str,
    commit: &'a str,
    file: &'a OfferedFile,
}

/// Part of the file that has come so far.
struct Partial {
    file: File,
    length: u64,
    hasher: Hasher,
}

impl Coming<'_> {
    fn fetch(&self, tally: &mut Tally) -> Result<(), HubError> {
        let id = self.file.id.hex();
        self.store.prepare()?;
        let _lock = self.store.lock(id, tally.monitor)?;
        let (blob, incomplete) = (self.store.blob(id), self.store.incomplete(id));
        if !fs::metadata(&blob).is_ok_and(|there| there.len() == self.file.size) {
            let mut partial = self.resume(&incomplete, tally)?;
            self.complete(&mut partial, &incomplete, tally)?;
            self.verify(partial, &incomplete)?;
            fs::rename(&incomplete, &blob).map_err(HubError::write(&blob))?;
        }
        self.store.link(self.commit, &self.file.name, id)
    }

    fn url(&self) -> String {
        self.remote.address(self.repo, self.commit, &self.file.name)
    }

    /// Opens the part that came before and hashes it.
    fn resume(&self, path: &Path, tally: &mut Tally) -> Result<Partial, HubError> {
        let open = File::options().create(true).read(true).append(true).open(path).map_err(HubError::write(path))?;
        let mut partial = Partial { file: open, length: 0, hasher: Hasher::new(&self.file.id, self.file.size) };
        let before = tally.done;
        let mut block = vec![0; BLOCK];
        loop {
            match partial.file.read(&mut block).map_err(HubError::write(path))? {
                0 => break,
                n => partial.take(&block[..n]),
            }
            tally.set(before.saturating_add(partial.length))?;
        }
        if partial.length > self.file.size {
            self.clear(&mut partial).map_err(HubError::write(path))?;
        }
        tally.set(before)?;
        Ok(partial)
    }

    /// Fetches the rest, in repeated tries as long as there is progress.
    fn complete(&self, partial: &mut Partial, path: &Path, tally: &mut Tally) -> Result<(), HubError> {
        let (before, url) = (tally.done, self.url());
        let mut tried = 0;
        while partial.length < self.file.size {
            let from = partial.length;
            let why = match self.attempt(partial, path, before, tally) {
                Ok(()) => "the connection ended too soon".to_owned(),
                Err(Failure::Passing(why)) => why,
                Err(Failure::Busy(busy)) => {
                    tried = if partial.length > from { 1 } else { tried + 1 };
                    if tried >= TRIES {
                        return Err(busy.error(&url));
                    }
                    self.remote.leave_alone(&busy, tried, &url)?;
                    continue;
                }
                Err(Failure::Final(error)) => return Err(error),
            };
            if partial.length >= self.file.size {
                break;
            }
            tried = if partial.length >= from.saturating_add(STEP) { 1 } else { tried + 1 };
            if tried >= TRIES {
                return Err(HubError::Unreachable { url, why });
            }
            self.remote.wait(tried)?;
        }
        tally.done = before;
        Ok(())
    }

    /// Makes one request for the rest; ends with the answer.
    fn attempt(&self, partial: &mut Partial, path: &Path, before: u64, tally: &mut Tally) -> Result<(), Failure> {
        let write = |error| Failure::Final(HubError::Write { path: path.to_owned(), error });
        let (answer, mut body) = self.remote.file(self.repo, self.commit, &self.file.name, partial.length)?;
        match answer.status {
            206 if self.goes_on(&answer, partial.length) => {}
            // The whole file, whatever was asked for.
            200 => self.clear(partial).map_err(write)?,
            206 | 416 => {
                self.clear(partial).map_err(write)?;
                return Err(Failure::Passing("the server does not go on where the download broke off".to_owned()));
            }
            status => return Err(HubError::Status { url: self.url(), status }.into()),
        }
        self.read(&mut body, partial, path, before, tally)
    }

    fn read(
        &self,
        body: &mut Body,
        partial: &mut Partial,
        path: &Path,
        before: u64,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        while let Some(block) = body.block()? {
            if partial.length + block.len() as u64 > self.file.size {
                // What has come cannot be trusted either.
                let _ = fs::remove_file(path);
                let what = format!("more comes than the {} bytes that were announced", self.file.size);
                return Err(HubError::Refused { url: self.url(), what }.into());
            }
            partial.file.write_all(&block).map_err(|error| HubError::Write { path: path.to_owned(), error })?;
            partial.take(&block);
            tally.set(before.saturating_add(partial.length))?;
        }
        Ok(())
    }

    /// Returns true where an answer begins where the download broke off, and is of a file of the same length.
    fn goes_on(&self, answer: &Answer, start: u64) -> bool {
        let range = answer.header("content-range").and_then(|range| range.strip_prefix("bytes "));
        let Some((part, total)) = range.and_then(|range| range.split_once('/')) else { return false };
        let begins = part.split_once('-').and_then(|(first, _)| first.parse().ok()) == Some(start);
        begins && (total == "*" || total.parse() == Ok(self.file.size))
    }

    /// Checks that the file is the one in the listing.
    fn verify(&self, partial: Partial, path: &Path) -> Result<(), HubError> {
        match partial.hasher.check(&self.file.id) {
            Ok(()) => partial.file.sync_all().map_err(HubError::write(path)),
            Err(what) => {
                fs::remove_file(path).map_err(HubError::write(path))?;
                Err(HubError::Corrupt { file: format!("{}/{}", self.repo, self.file.name), what })
            }
        }
    }

    /// Drops the part that has come.
    fn clear(&self, partial: &mut Partial) -> io::Result<()> {
        partial.file.set_len(0)?;
        partial.length = 0;
        partial.hasher = Hasher::new(&self.file.id, self.file.size);
        Ok(())
    }
}

impl Partial {
    fn take(&mut self, block: &[u8]) {
        self.hasher.update(block);
        self.length += block.len() as u64;
    }
}
