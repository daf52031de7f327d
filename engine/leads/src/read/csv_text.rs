//! CSV as bytes: the cells of one record, and how many lines bytes span.

/// The unquoted cells of one record in one buffer.
#[derive(Debug, Default)]
pub struct Cells {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// Bytes that are kept of a cell that is too long, for the report.
const KEPT: usize = 200;

impl Cells {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub fn get(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[start..self.ends[index]]
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|i| self.get(i))
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether all cells are empty or blank.
    pub fn blank(&self) -> bool {
        self.bytes.iter().all(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'))
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn end(&mut self) {
        self.ends.push(self.bytes.len());
    }

    /// Length in bytes of the unfinished cell.
    pub(super) fn open_len(&self) -> usize {
        self.bytes.len() - self.ends.last().copied().unwrap_or(0)
    }

    /// Drops the end of an unfinished cell that is longer than allowed; true when it was.
    pub(super) fn shorten(&mut self, longest: usize) -> bool {
        let long = self.open_len() > longest;
        if long {
            let start = self.ends.last().copied().unwrap_or(0);
            self.bytes.truncate(start + KEPT.min(longest));
        }
        long
    }
}

/// Line ends: `\n`, `\r\n` or a lone `\r`.
pub fn count_lines(bytes: &[u8]) -> u64 {
    let ends = bytes.iter().enumerate().filter(|(i, b)| match b {
        b'\n' => true,
        b'\r' => bytes.get(i + 1) != Some(&b'\n'),
        _ => false,
    });
    ends.count() as u64
}
