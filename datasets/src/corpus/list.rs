//! Lists that come with a corpus: tables of values, and the recordings they name.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use csv::{ByteRecord, ReaderBuilder, StringRecord};

use super::draft::{Answer, Draft};
use super::gate::Gate;
use super::quotes::check_quotes;
use crate::error::listed;
use crate::files::entries;
use crate::item::{Segment, Source};
use crate::part::Part;
use crate::spelling::on_disk;
use crate::{Error, Result, files};

/// A table of comma- or tab-separated values with a header (RFC 4180).
pub(super) struct Table {
    path: PathBuf,
    pub(super) header: Vec<String>,
    pub(super) rows: Vec<Row>,
}

pub(super) struct Row {
    /// The line it begins in, counted from 1.
    pub(super) line: usize,
    fields: StringRecord,
}

impl Row {
    /// The value in a column, without the blanks around it.
    pub(super) fn get(&self, column: usize) -> &str {
        self.fields.get(column).unwrap_or_default().trim()
    }

    /// The value in a column as a number.
    pub(super) fn number(&self, column: usize, name: &str) -> std::result::Result<u32, String> {
        let text = self.get(column);
        text.parse()
            .map_err(|_| format!("{name} is '{text}'; it must be a whole number"))
    }
}

impl Table {
    /// Reads a table; rows that are not text, or are longer or shorter than the header, go to the
    /// gate.
    pub(super) fn read(path: &Path, delimiter: u8, gate: &mut Gate) -> Result<Self> {
        let bytes = files::read(path)?;
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        check_quotes(path, bytes, delimiter)?;
        // Lengths are checked here, so that a row is refused by its line.
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .from_reader(bytes);
        let mut header = None::<Vec<String>>;
        let mut rows = Vec::new();
        let mut record = ByteRecord::new();
        let (mut line, mut counted) = (1, 0);
        loop {
            let refuse = |reason: String| Error::Layout {
                path: path.to_owned(),
                reason,
            };
            match reader.read_byte_record(&mut record) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => return Err(refuse(format!("it cannot be read: {error}"))),
            }
            // A record's position is before the blank lines in front of it, which are not its own.
            let at = record
                .position()
                .map_or(counted, |position| position.byte() as usize);
            let blank = bytes[at..].iter().take_while(|byte| b"\r\n".contains(byte));
            let begin = at + blank.count();
            line += lines_in(&bytes[counted..begin]);
            counted = begin;
            let Ok(fields) = StringRecord::from_byte_record(record.clone()) else {
                // The first row would be taken for the header, and be lost.
                if header.is_none() {
                    return Err(refuse("its header is not text in UTF-8".into()));
                }
                gate.reject_line(path, line, "it is not text in UTF-8".into())?;
                continue;
            };
            let Some(header) = &header else {
                let names: Vec<String> = fields.iter().map(|name| name.trim().into()).collect();
                let distinct: BTreeSet<&String> = names.iter().collect();
                if distinct.len() < names.len() {
                    return Err(refuse(format!(
                        "two of its columns have the same name; they are {}",
                        listed(&names, 20)
                    )));
                }
                header = Some(names);
                continue;
            };
            if fields.len() != header.len() {
                gate.reject_line(
                    path,
                    line,
                    format!(
                        "it has {} values; the header names {} columns",
                        fields.len(),
                        header.len()
                    ),
                )?;
                continue;
            }
            rows.push(Row { line, fields });
        }
        let header = header.ok_or_else(|| Error::Layout {
            path: path.to_owned(),
            reason: "it is empty; a header was expected".into(),
        })?;
        Ok(Self {
            path: path.to_owned(),
            header,
            rows,
        })
    }

    /// The index of a column, if there is one of this name.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|column| column == name)
    }

    /// The indices of columns that must be there.
    pub(super) fn columns<const N: usize>(&self, names: [&str; N]) -> Result<[usize; N]> {
        let mut columns = [0; N];
        for (column, name) in columns.iter_mut().zip(names) {
            *column = self.find(name).ok_or_else(|| Error::Layout {
                path: self.path.clone(),
                reason: format!(
                    "it has no column '{name}'; its columns are {}",
                    listed(&self.header, 20)
                ),
            })?;
        }
        Ok(columns)
    }
}

/// The number of line ends in these bytes: `\n`, `\r\n` or, as tables from old Macs have them, `\r`.
pub(super) fn lines_in(bytes: &[u8]) -> usize {
    let after = bytes.iter().skip(1).map(Some).chain([None]);
    bytes
        .iter()
        .zip(after)
        .filter(|&(&byte, after)| byte == b'\n' || (byte == b'\r' && after != Some(&b'\n')))
        .count()
}

/// A recording that a line of a list names.
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) file: PathBuf,
    /// The beginning and the length of the part that it is, in milliseconds; none if it is all.
    pub(super) cut: Option<(u64, u64)>,
    pub(super) answer: Answer,
    pub(super) part: Part,
    pub(super) group: Option<String>,
    pub(super) domain: Option<String>,
}

/// The recordings a list names: each is there, and no two lines name the same.
pub(super) struct Listing<'a> {
    list: &'a Path,
    lines_of: HashMap<(PathBuf, Option<(u64, u64)>), usize>,
    pub(super) drafts: Vec<Draft>,
}

impl<'a> Listing<'a> {
    pub(super) fn new(list: &'a Path) -> Self {
        Self {
            list,
            lines_of: HashMap::new(),
            drafts: Vec::new(),
        }
    }

    /// Adds what a line names, or hands the gate the reason it cannot be used. Returns whether it
    /// was added.
    pub(super) fn add(
        &mut self,
        gate: &mut Gate,
        line: usize,
        entry: std::result::Result<Entry, String>,
    ) -> Result<bool> {
        let checked = entry.and_then(|mut entry| {
            entry.file = on_disk(entry.file);
            let key = (entry.file.clone(), entry.cut);
            if let Some(earlier) = self.lines_of.get(&key) {
                return Err(format!("'{}' is in line {earlier} already", entry.id));
            }
            match entry.file.metadata() {
                Ok(metadata) if metadata.is_file() => {}
                Ok(_) => return Err(format!("{} is not a file", entry.file.display())),
                Err(_) => return Err(format!("there is no audio file {}", entry.file.display())),
            }
            self.lines_of.insert(key, line);
            Ok(entry)
        });
        let entry = match checked {
            Ok(entry) => entry,
            Err(reason) => {
                gate.reject_line(self.list, line, reason)?;
                return Ok(false);
            }
        };
        self.drafts.push(Draft {
            id: entry.id,
            place: format!("{}:{line}", self.list.display()),
            source: match entry.cut {
                None => Source::File(entry.file),
                Some((start_ms, length_ms)) => Source::Segment(Segment {
                    path: entry.file,
                    start_ms,
                    length_ms,
                }),
            },
            answer: entry.answer,
            part: entry.part,
            group: entry.group,
            domain: entry.domain,
        });
        Ok(true)
    }
}

/// Several labels in one value; blanks around them do not count, and one that is empty is refused.
pub(super) fn labels_in(
    text: &str,
    separators: &[char],
) -> std::result::Result<Vec<String>, String> {
    text.split(separators)
        .map(str::trim)
        .map(|label| match label {
            "" => Err(format!("a label in '{text}' is empty")),
            label => Ok(label.to_owned()),
        })
        .collect()
}

/// Labels by the numbers they are published under.
#[derive(Default)]
pub(super) struct NumberedLabels(BTreeMap<u32, String>);

impl NumberedLabels {
    /// Notes a label's number; another label with the same one is refused.
    pub(super) fn insert(&mut self, number: u32, label: &str) -> std::result::Result<(), String> {
        if label.is_empty() {
            return Err("its label is empty".into());
        }
        let known = self.0.entry(number).or_insert_with(|| label.to_owned());
        if known != label {
            return Err(format!(
                "the label of {number} is '{label}', in an earlier line '{known}'"
            ));
        }
        Ok(())
    }

    /// The labels in the order of their numbers.
    pub(super) fn in_order(self) -> Vec<String> {
        self.0.into_values().collect()
    }
}

/// The number of a folder's entries that are not among the recordings.
pub(super) fn passed_over(folder: &Path, drafts: &[Draft], gate: &mut Gate) -> Result<usize> {
    let used: BTreeSet<&str> = drafts
        .iter()
        .filter_map(|draft| match &draft.source {
            Source::File(path) if path.parent() == Some(folder) => path.file_name()?.to_str(),
            _ => None,
        })
        .collect();
    let unused = |name: &&String| !used.contains(name.as_str());
    let names = entries(folder)?;
    let unused = names.iter().filter(unused);
    Ok(unused.map(|name| gate.pass_over(name)).sum())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed step is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_known_by_the_line_it_begins_in() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("list.csv");
        let text = "\u{feff}a,b\r\n1,2\r\n\r\n\r\n3,\"4\r\n5\"\r\n6\r\n\"7, or 8\", 9 \r\n";
        std::fs::write(&path, text).unwrap();
        let mut gate = Gate::new(true);
        let table = Table::read(&path, b',', &mut gate).unwrap();
        let lines: Vec<usize> = table.rows.iter().map(|row| row.line).collect();
        assert_eq!(lines, [2, 5, 8]);
        assert_eq!(table.rows[1].get(1), "4\r\n5");
        assert_eq!(
            (table.rows[2].get(0), table.rows[2].get(1)),
            ("7, or 8", "9")
        );
        assert_eq!(gate.rejected.len(), 1);
        assert!(gate.rejected[0].place.ends_with("list.csv:7"));
    }
}
