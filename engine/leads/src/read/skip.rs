//! Finds the end of a record that is too long to buffer, byte by byte, by the same quotes as `record`.

/// Where in a record the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    CellStart,
    Plain,
    /// After `=` at the start of a cell.
    Equals,
    Quoted,
    /// After a quote inside quotes: closing, or the first of a doubled one.
    Quote,
    /// After `\r` outside quotes.
    Return,
}

/// Skips the rest of a record.
#[derive(Debug)]
pub struct Skip {
    delimiter: u8,
    state: State,
    return_in_quotes: bool,
    /// Line ends inside quotes so far.
    pub lines: u64,
}

impl Skip {
    pub const fn new(delimiter: u8) -> Self {
        Self { delimiter, state: State::CellStart, return_in_quotes: false, lines: 0 }
    }

    /// Consumes bytes up to the end of the record; returns how many they are, and whether the record ended.
    pub fn consume(&mut self, bytes: &[u8]) -> (usize, bool) {
        for (at, b) in bytes.iter().enumerate() {
            if self.state == State::Return {
                return (at + usize::from(*b == b'\n'), true);
            }
            self.state = self.next(*b);
            if self.state == State::CellStart && *b == b'\n' {
                return (at + 1, true);
            }
        }
        (bytes.len(), false)
    }

    /// Whether the file may end here.
    pub fn closed(&self) -> bool {
        self.state != State::Quoted
    }

    fn next(&mut self, b: u8) -> State {
        let outside = |other: State| match b {
            b'\n' => State::CellStart,
            b'\r' => State::Return,
            b if b == self.delimiter => State::CellStart,
            _ => other,
        };
        match (self.state, b) {
            (State::CellStart | State::Equals, b'"') => State::Quoted,
            (State::CellStart, b'=') => State::Equals,
            (State::CellStart, b' ' | b'\t') if b != self.delimiter => State::CellStart,
            (State::Quoted, b'"') => State::Quote,
            (State::Quoted, _) => {
                self.lines += u64::from(b == b'\r' || (b == b'\n' && !self.return_in_quotes));
                self.return_in_quotes = b == b'\r';
                State::Quoted
            }
            (State::Quote, b'"') => State::Quoted,
            (State::CellStart | State::Equals | State::Plain | State::Quote | State::Return, _) => {
                outside(State::Plain)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_found_wherever_the_bytes_are_cut() {
        for (text, end, lines) in [
            ("a,b\nc", 4, 0),
            ("a,b\r\nc", 5, 0),
            ("a,b\rc", 4, 0),
            ("a,\"b\nb\"\"\r\n\",c\nd", 14, 2),
            ("=\"a\nb\",c\nd", 9, 1),
            ("x, \"a\nb\",c\nd", 11, 1),
            ("5\" x\nd", 5, 0),
            ("\"a\" b\"\nd", 7, 0),
        ] {
            for size in [1, 2, 100] {
                let (mut skip, mut taken, mut ended) = (Skip::new(b','), 0, false);
                for chunk in text.as_bytes().chunks(size) {
                    let (bytes, end) = skip.consume(chunk);
                    taken += bytes;
                    ended = end;
                    if end {
                        break;
                    }
                }
                assert_eq!((taken, ended, skip.lines), (end, true, lines), "{text:?} by {size}");
            }
        }
        let mut open = Skip::new(b',');
        assert_eq!((open.consume(b"a,\"b\n"), open.closed()), ((5, false), false));
    }
}
