//! The wire format of protocol buffers ([encoding](https://protobuf.dev/programming-guides/encoding/)), written
//! field by field. `src/weights/protobuf.rs` reads it.

/// A message that is being written.
#[derive(Clone, Debug, Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    /// The bytes.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// An integer; negative ones take ten bytes.
    pub(super) fn integer(&mut self, field: u32, value: i64) {
        self.key(field, 0);
        self.varint(value as u64);
    }

    /// A number of single precision.
    pub(super) fn float(&mut self, field: u32, value: f32) {
        self.key(field, 5);
        self.0.extend(value.to_le_bytes());
    }

    /// Bytes, or a text.
    pub(super) fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.key(field, 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
    }

    /// A list of integers, packed.
    pub(super) fn integers(&mut self, field: u32, values: impl IntoIterator<Item = i64>) {
        let mut list = Self::default();
        for value in values {
            list.varint(value as u64);
        }
        self.bytes(field, &list.0);
    }

    /// A message within this one.
    pub(super) fn message(&mut self, field: u32, write: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        write(&mut inner);
        self.bytes(field, &inner.0);
    }

    fn key(&mut self, field: u32, kind: u32) {
        self.varint(u64::from(field << 3 | kind));
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the page on the encoding.
    #[test]
    fn messages_are_those_of_the_specification() {
        let mut message = Message::default();
        message.integer(1, 150);
        message.bytes(2, b"testing");
        message.message(3, |inner| inner.integer(1, 150));
        message.integers(6, [3, 270, 86942]);
        let expected =
            b"\x08\x96\x01\x12\x07testing\x1a\x03\x08\x96\x01\x32\x06\x03\x8e\x02\x9e\xa7\x05";
        assert_eq!(message.into_bytes(), expected);
        let mut negative = Message::default();
        negative.integer(1, -1);
        assert_eq!(negative.into_bytes().len(), 11);
    }
}
