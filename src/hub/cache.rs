//! The hub cache that this machine's tools share: `models--org--repo/{refs,snapshots,blobs}`, as Python's
//! huggingface_hub lays it out. A snapshot holds a repository's files at a commit, as links into the blobs.

use crate::hub::{Env, HubError, Reference};
use crate::untrusted;
use std::fs;
use std::path::{Path, PathBuf};

/// A hub cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    root: PathBuf,
}

/// Returns the user's home; where none is known, the working directory, as in Python.
pub(super) fn home(env: Env) -> PathBuf {
    let said = ["HOME", "USERPROFILE"].iter().find_map(|name| env(name)).filter(|home| !home.is_empty());
    said.map(PathBuf::from).or_else(std::env::home_dir).unwrap_or_default()
}

/// Returns the folder of the hub's tools: `HF_HOME`, else `huggingface` in the user's cache.
pub(super) fn hub_home(env: Env, home: &Path) -> PathBuf {
    folder(env, "HF_HOME", home).unwrap_or_else(|| {
        folder(env, "XDG_CACHE_HOME", home).unwrap_or_else(|| home.join(".cache")).join("huggingface")
    })
}

/// Returns the folder that a variable names, `~` standing for home.
fn folder(env: Env, name: &str, home: &Path) -> Option<PathBuf> {
    let path = PathBuf::from(env(name).filter(|value| !value.is_empty())?);
    Some(match path.strip_prefix("~") {
        Ok(rest) => home.join(rest),
        Err(_) => path,
    })
}

impl Cache {
    /// Creates the cache at `root`, which need not exist yet.
    pub fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// Returns the cache that Python's tools use: the first that is set of `HF_HUB_CACHE`, the older
    /// `HUGGINGFACE_HUB_CACHE`, `HF_HOME/hub`, `XDG_CACHE_HOME/huggingface/hub`, else `~/.cache/huggingface/hub`.
    pub(super) fn from_env(env: Env, home: &Path) -> Self {
        let said = ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"].iter().find_map(|name| folder(env, name, home));
        Self::at(said.unwrap_or_else(|| hub_home(env, home).join("hub")))
    }

    /// Returns its folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the folder of a repository.
    pub(super) fn repo(&self, repo: &str) -> PathBuf {
        self.root.join(format!("models--{}", repo.replace('/', "--")))
    }

    /// Returns the commit that a revision stands for in this cache.
    pub(super) fn commit(&self, repo: &str, revision: &str) -> Option<String> {
        let folder = self.repo(repo);
        if is_commit(revision) {
            return folder.join("snapshots").join(revision).is_dir().then(|| revision.to_owned());
        }
        let commit = untrusted::read_text(&folder.join("refs").join(revision), 1 << 10).ok()?.trim().to_owned();
        is_commit(&commit).then_some(commit)
    }

    /// Returns the path of the file or folder behind a reference, if it is in the cache.
    pub fn find(&self, reference: &Reference) -> Option<PathBuf> {
        let commit = self.commit(reference.repo(), reference.revision())?;
        let snapshot = self.repo(reference.repo()).join("snapshots").join(commit);
        let path = if reference.path().is_empty() { snapshot } else { snapshot.join(reference.path()) };
        path.exists().then_some(path)
    }

    /// Returns the repositories in the cache, each at every revision that has a name, sorted.
    ///
    /// # Errors
    /// Fails where the cache exists and cannot be listed.
    pub fn references(&self) -> Result<Vec<Reference>, HubError> {
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(HubError::Write { path: self.root.clone(), error }),
        };
        let mut found = Vec::new();
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(repo) = name.to_str().and_then(|name| name.strip_prefix("models--")) else { continue };
            let repo = repo.replace("--", "/");
            let revisions = files_below(&entry.path().join("refs"));
            found.extend(revisions.iter().filter_map(|revision| Reference::parse(&format!("{repo}@{revision}"))));
        }
        found.sort();
        Ok(found)
    }
}

/// Returns true for a full commit hash, the only thing that names a snapshot.
pub(super) fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Returns the files below a folder, as paths with `/`, sorted, without those that cannot be listed.
pub(super) fn files_below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![(folder.to_owned(), String::new())];
    while let Some((folder, prefix)) = open.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let name = format!("{prefix}{name}");
            // A folder that is a link could lead round in a circle; the hub's tools make none.
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push((entry.path(), format!("{name}/"))),
                Ok(_) => found.push(name),
                Err(_) => {}
            }
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(variables: &[(&str, &str)]) -> PathBuf {
        let env = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).into());
        Cache::from_env(&env, Path::new("/home/me")).root
    }

    #[test]
    fn the_cache_is_where_python_looks_for_it() {
        assert_eq!(root(&[]), Path::new("/home/me/.cache/huggingface/hub"));
        assert_eq!(root(&[("XDG_CACHE_HOME", "/x")]), Path::new("/x/huggingface/hub"));
        assert_eq!(root(&[("XDG_CACHE_HOME", "/x"), ("HF_HOME", "~/h")]), Path::new("/home/me/h/hub"));
        assert_eq!(root(&[("HF_HOME", "/h"), ("HUGGINGFACE_HUB_CACHE", "/old")]), Path::new("/old"));
        assert_eq!(root(&[("HUGGINGFACE_HUB_CACHE", "/old"), ("HF_HUB_CACHE", "/new")]), Path::new("/new"));
        assert_eq!(root(&[("HF_HUB_CACHE", "")]), Path::new("/home/me/.cache/huggingface/hub"));
    }

    #[test]
    fn a_ref_that_names_no_commit_leads_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().to_owned());
        let repo = folder.path().join("models--a--b");
        fs::create_dir_all(repo.join("refs")).unwrap();
        fs::create_dir_all(repo.join("snapshots")).unwrap();
        fs::write(repo.join("refs/main"), "../../..").unwrap();
        assert_eq!(cache.find(&Reference::parse("a/b").unwrap()), None);
        let commit = "0123456789abcdef0123456789abcdef01234567";
        fs::create_dir_all(repo.join("snapshots").join(commit)).unwrap();
        fs::write(repo.join("refs/main"), commit).unwrap();
        assert!(cache.find(&Reference::parse("a/b").unwrap()).unwrap().ends_with(commit));
        assert!(cache.find(&Reference::parse(&format!("a/b@{commit}")).unwrap()).is_some());
        assert_eq!(cache.references().unwrap(), [Reference::parse("a/b").unwrap()]);
    }
}
