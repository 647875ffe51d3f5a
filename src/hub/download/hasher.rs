//! Hashes of contents, in the two ways in which the hub names contents.

use super::ContentId;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// A hash of a content that comes in pieces.
pub(super) enum Hasher {
    Sha256(Sha256),
    Git(Sha1),
}

impl Hasher {
    /// Creates a hasher of the kind of `id`, for a content of `size` bytes.
    pub fn new(id: &ContentId, size: u64) -> Self {
        match id {
            ContentId::Sha256(_) => Self::Sha256(Sha256::new()),
            ContentId::Git(_) => Self::Git(Sha1::new_with_prefix(format!("blob {size}\0"))),
        }
    }

    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Git(hasher) => hasher.update(bytes),
        }
    }

    /// Checks that the content is the one that `id` names.
    ///
    /// # Errors
    /// Fails where it is not, with the difference, for the end of a sentence.
    pub fn check(self, id: &ContentId) -> Result<(), String> {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let (kind, found) = match self {
            Self::Sha256(hasher) => ("SHA-256", hex(&hasher.finalize())),
            Self::Git(hasher) => ("blob id", hex(&hasher.finalize())),
        };
        let expected = id.hex();
        if found == expected { Ok(()) } else { Err(format!("its {kind} is {found}, the hub says {expected}")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_hashes_are_those_of_git() {
        let check = |id: ContentId, bytes: &[u8]| {
            let mut hasher = Hasher::new(&id, bytes.len() as u64);
            bytes.chunks(3).for_each(|part| hasher.update(part));
            hasher.check(&id)
        };
        // `printf 'hello\n' | git hash-object --stdin`, and of nothing at all.
        let git = |hex: &str| ContentId::Git(hex.to_owned());
        assert_eq!(check(git("ce013625030ba8dba906f756967f9e9ca394464a"), b"hello\n"), Ok(()));
        assert_eq!(check(git("e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"), b""), Ok(()));
        assert!(check(git("ce013625030ba8dba906f756967f9e9ca394464a"), b"hellO\n").is_err());
        let sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        assert_eq!(check(ContentId::Sha256(sha256.to_owned()), b"hello\n"), Ok(()));
    }
}
