//! A file that remembers every seal outside database and object store, so that someone who controls both cannot remove
//! seals and have the log resealed. One line of JSON per seal, appended and synced: id, last position and hash.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, ErrorKind, Write},
    path::{Path, PathBuf},
};

use luci_schema::{Hash, Position, seal::Seal};
use serde::{Deserialize, Serialize};

/// What the file keeps of a seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WitnessedSeal {
    pub seal_id: u64,
    pub to_position: Position,
    #[serde(with = "hex::serde")]
    pub seal_hash: Hash,
}

impl From<&Seal> for WitnessedSeal {
    fn from(seal: &Seal) -> Self {
        Self { seal_id: seal.seal_id, to_position: seal.to_position, seal_hash: seal.seal_hash }
    }
}

/// The file; it is made with the first seal.
#[derive(Debug, Clone)]
pub struct SealWitness(PathBuf);

impl SealWitness {
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// All lines, in order. A last line that a crash cut off is left out; any other that cannot be read is an error.
    pub fn read(&self) -> io::Result<Vec<WitnessedSeal>> {
        let file = match File::open(&self.0) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut seals = Vec::new();
        let mut reader = BufReader::new(file);
        let mut line = String::new();
        while reader.read_line(&mut line)? > 0 {
            match serde_json::from_str(&line) {
                Ok(seal) => seals.push(seal),
                Err(_) if !line.ends_with('\n') => break,
                Err(error) => {
                    let text = format!("{} line {}: {error}", self.0.display(), seals.len() + 1);
                    return Err(io::Error::new(ErrorKind::InvalidData, text));
                }
            }
            line.clear();
        }
        Ok(seals)
    }

    /// Appends a seal durably; a line that a crash cut off is replaced.
    pub fn add(&self, seal: WitnessedSeal) -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(&self.0)?;
        let whole = whole_lines(&file)?;
        file.set_len(whole)?;
        let mut line = serde_json::to_vec(&seal)?;
        line.push(b'\n');
        file.write_all(&line)?;
        file.sync_data()
    }
}

impl SealWitness {
    /// Keeps the file as `{name}.{epoch}`, and begins a new one with the seals up to `last`.
    pub(crate) fn leave_behind(&self, last: u64, epoch: &str) -> io::Result<()> {
        let (kept, left): (Vec<_>, Vec<_>) = self.read()?.into_iter().partition(|seal| seal.seal_id <= last);
        if left.is_empty() {
            return Ok(());
        }
        let mut name = self.0.clone().into_os_string();
        name.push(format!(".{epoch}"));
        std::fs::rename(&self.0, name)?;
        kept.into_iter().try_for_each(|seal| self.add(seal))
    }
}

/// The length of the file up to its last line break.
fn whole_lines(file: &File) -> io::Result<u64> {
    use std::os::unix::fs::FileExt;
    let length = file.metadata()?.len();
    // A line is far shorter.
    let from = length.saturating_sub(4_096);
    let mut end = vec![0; usize::try_from(length - from).unwrap_or(0)];
    file.read_exact_at(&mut end, from)?;
    Ok(end.iter().rposition(|byte| *byte == b'\n').map_or(from, |at| from + at as u64 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(id: u64) -> WitnessedSeal {
        WitnessedSeal { seal_id: id, to_position: Position(id * 10), seal_hash: [7; 32] }
    }

    #[test]
    fn seals_are_remembered_and_a_line_that_was_cut_off_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let witness = SealWitness::at(folder.path().join("seals.witness"));
        assert_eq!(witness.read().unwrap(), []);
        witness.add(seal(1)).unwrap();
        witness.add(seal(2)).unwrap();
        assert_eq!(witness.read().unwrap(), [seal(1), seal(2)]);
        let mut file = OpenOptions::new().append(true).open(witness.path()).unwrap();
        file.write_all(b"{\"sealId\":3,\"toPos").unwrap();
        assert_eq!(witness.read().unwrap(), [seal(1), seal(2)]);
        witness.add(seal(3)).unwrap();
        assert_eq!(witness.read().unwrap(), [seal(1), seal(2), seal(3)]);
        std::fs::write(witness.path(), "nonsense\n").unwrap();
        assert_eq!(witness.read().unwrap_err().kind(), ErrorKind::InvalidData);
    }
}
