//! The wire format of protocol buffers
//! ([encoding](https://protobuf.dev/programming-guides/encoding/)), read field by field from a file.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use super::stored::Span;

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// An integer of any width.
    Number(u64),
    /// A text, a list, or another message: its place in the file.
    Bytes(Span),
}

/// A file or bytes that hold messages.
pub(super) struct Messages<R: Read + Seek>(BufReader<R>);

impl<R: Read + Seek> Messages<R> {
    pub(super) fn new(input: R) -> Self {
        Self(BufReader::new(input))
    }

    /// Goes through the fields of the message in `span`. `each` may read elsewhere meanwhile.
    ///
    /// # Errors
    /// When the message is cut short or malformed, and those of `each`.
    pub(super) fn fields(
        &mut self,
        span: Span,
        mut each: impl FnMut(&mut Self, u32, Value) -> io::Result<()>,
    ) -> io::Result<()> {
        let end = span.start.checked_add(span.len).ok_or_else(malformed)?;
        let mut at = span.start;
        while at < end {
            self.go(at)?;
            let (key, mut taken) = self.varint()?;
            let field = u32::try_from(key >> 3).map_err(|_| malformed())?;
            let value = match key & 7 {
                0 => {
                    let (number, more) = self.varint()?;
                    taken += more;
                    Value::Number(number)
                }
                1 => {
                    taken += 8;
                    Value::Number(u64::from_le_bytes(self.array()?))
                }
                5 => {
                    taken += 4;
                    Value::Number(u64::from(u32::from_le_bytes(self.array()?)))
                }
                2 => {
                    let (len, more) = self.varint()?;
                    let start = at + taken + more;
                    taken = (taken + more).checked_add(len).ok_or_else(malformed)?;
                    Value::Bytes(Span { start, len })
                }
                _ => return Err(malformed()),
            };
            at = at.checked_add(taken).ok_or_else(malformed)?;
            if at > end {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            each(self, field, value)?;
        }
        Ok(())
    }

    /// The bytes of a field, of which there may be `most`.
    pub(super) fn bytes(&mut self, span: Span, most: u64) -> io::Result<Vec<u8>> {
        if span.len > most {
            return Err(io::Error::other(format!(
                "a field has {} bytes, where at most {most} make sense",
                span.len
            )));
        }
        self.go(span.start)?;
        let mut bytes = vec![0; span.len as usize];
        self.0.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// The integers of a packed list, of which there may be `most`.
    pub(super) fn numbers(&mut self, span: Span, most: usize) -> io::Result<Vec<u64>> {
        // An integer has at most ten bytes.
        let bytes = self.bytes(span, most as u64 * 10)?;
        let mut rest = bytes.as_slice();
        let mut numbers = Vec::new();
        while !rest.is_empty() {
            numbers.push(varint(&mut rest)?.0);
        }
        Ok(numbers)
    }

    fn go(&mut self, to: u64) -> io::Result<()> {
        let now = self.0.stream_position()?;
        let by = i64::try_from(i128::from(to) - i128::from(now)).map_err(|_| malformed())?;
        if i64::try_from(to).is_err() {
            return Err(malformed());
        }
        if by == 0 {
            return Ok(());
        }
        self.0
            .seek_relative(by)
            .or_else(|_| self.0.seek(SeekFrom::Start(to)).map(|_| ()))
    }

    fn varint(&mut self) -> io::Result<(u64, u64)> {
        varint(&mut self.0)
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.0.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

/// An integer of variable length, and the bytes that it takes.
pub(super) fn varint(input: &mut impl Read) -> io::Result<(u64, u64)> {
    let mut number = 0u64;
    for index in 0..10 {
        let mut byte = [0];
        input.read_exact(&mut byte)?;
        let part = u64::from(byte[0] & 0x7f);
        if index == 9 && part > 1 {
            return Err(malformed());
        }
        number |= part << (7 * index);
        if byte[0] & 0x80 == 0 {
            return Ok((number, index + 1));
        }
    }
    Err(malformed())
}

fn malformed() -> io::Error {
    io::Error::other("it is malformed")
}
