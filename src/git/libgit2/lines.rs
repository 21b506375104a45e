//! Where git's lines begin and end in a stream: four hex digits of length, then that much less four.

/// What comes next in a stream of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// A line begins that has so many bytes; 0 for a flush and its like.
    Start(usize),
    /// Some bytes of the line.
    Text(&'a [u8]),
    /// No line begins here: these four bytes, and then whatever follows, are not lines.
    Other([u8; 4]),
}

/// Cuts a stream that arrives in pieces.
#[derive(Debug, Default)]
pub(super) struct Lines {
    prefix: Vec<u8>,
    left: usize,
    ended: bool,
}

impl Lines {
    /// Bytes that the line still lacks.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// Bytes that belong together with what was taken: to the end of the line, or of its length.
    pub(super) fn room(&self) -> usize {
        match self.left {
            _ if self.ended => usize::MAX,
            0 => 4 - self.prefix.len(),
            left => left,
        }
    }

    /// Takes the next piece off `bytes`; `None` if there is not enough for one. After [`Piece::Other`] all is text.
    pub(super) fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Option<Piece<'a>> {
        if self.ended || self.left > 0 {
            let length = if self.ended { bytes.len() } else { self.left.min(bytes.len()) };
            let (text, rest) = bytes.split_at(length);
            self.left = self.left.saturating_sub(length);
            *bytes = rest;
            return (length > 0).then_some(Piece::Text(text));
        }
        let (taken, rest) = bytes.split_at(bytes.len().min(4 - self.prefix.len()));
        self.prefix.extend_from_slice(taken);
        *bytes = rest;
        let prefix: [u8; 4] = self.prefix.as_slice().try_into().ok()?;
        self.prefix.clear();
        let hex = Some(prefix).filter(|prefix| prefix.iter().all(u8::is_ascii_hexdigit));
        let length = hex.and_then(|hex| usize::from_str_radix(str::from_utf8(&hex).ok()?, 16).ok());
        let Some(length) = length else {
            self.ended = true;
            return Some(Piece::Other(prefix));
        };
        self.left = length.saturating_sub(4);
        Some(Piece::Start(self.left))
    }
}
