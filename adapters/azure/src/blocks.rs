//! Names of blocks, and Get Block List.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cabotage_core::{ETag, Key, Operation, Result, UploadId};
use http::Method;

use crate::store::Inner;
use crate::wire::etag;
use crate::xml::{self, Visit};

/// Bytes of randomness in an id.
pub(crate) const ID_BYTES: usize = 16;

/// Longest list of blocks that is read: 100,000 committed and 100,000 uncommitted ones.
const LIST_BYTES: usize = 64 * 1024 * 1024;

/// Whether it can be the id of an upload.
pub(crate) fn is_id(id: &str) -> bool {
    id.len() == 2 * ID_BYTES && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// The block's name, as the query and the list carry it.
pub(crate) fn block_name(id: &UploadId, number: u32) -> String {
    STANDARD.encode(format!("{}-{number:06}", id.0))
}

/// Upload and number of a block; `None` for a name that isn't ours.
pub(crate) fn read_block_name(name: &str) -> Option<(UploadId, u32)> {
    let text = String::from_utf8(STANDARD.decode(name).ok()?).ok()?;
    let (id, number) = text.split_once('-')?;
    let number = Some(number).filter(|number| number.len() == 6)?.parse().ok()?;
    is_id(id).then(|| (UploadId(id.to_owned()), number))
}

/// Which blocks to ask for.
#[derive(Clone, Copy)]
pub(crate) enum Blocks {
    Committed,
    Uncommitted,
}

/// The blob's blocks, and its ETag if there is one.
pub(crate) struct BlockList {
    pub(crate) blocks: Vec<(String, u64)>,
    pub(crate) etag: Option<ETag>,
}

impl Inner {
    /// Get Block List.
    pub(crate) async fn blocks(&self, key: &Key, which: Blocks) -> Result<BlockList> {
        let (kind, element) = match which {
            Blocks::Committed => ("committed", "CommittedBlocks"),
            Blocks::Uncommitted => ("uncommitted", "UncommittedBlocks"),
        };
        let call = self
            .wire
            .blob_call(Operation::Upload, Method::GET, key)
            .query("comp", "blocklist")
            .query("blocklisttype", kind);
        let reply = self.wire.send(call).await?;
        let etag = etag(&reply.headers);
        let blocks = parse_blocks(&reply.bytes(LIST_BYTES).await?, element)?;
        Ok(BlockList { blocks, etag })
    }
}

fn parse_blocks(document: &[u8], element: &str) -> Result<Vec<(String, u64)>> {
    let mut blocks = Vec::new();
    let mut name = String::new();
    xml::walk(document, |visit| {
        if let Visit::Close { path: ["BlockList", kind, "Block", field], text, .. } = visit
            && *kind == element
        {
            match *field {
                "Name" => text.clone_into(&mut name),
                "Size" => {
                    let size = text.parse().map_err(|_| xml::broken("tells a block's size in no number"))?;
                    blocks.push((std::mem::take(&mut name), size));
                }
                _ => {}
            }
        }
        Ok(())
    })?;
    Ok(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_names_read_back() {
        let id = UploadId("0123456789abcdef0123456789abcdef".into());
        let names: Vec<_> = [1, 50_000].map(|number| block_name(&id, number)).to_vec();
        assert_eq!(names[0].len(), names[1].len());
        assert_eq!(read_block_name(&names[1]), Some((id, 50_000)));
        for foreign in ["AAAA", "", "!", &STANDARD.encode("short-000001"), &STANDARD.encode("0".repeat(39))] {
            assert_eq!(read_block_name(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn block_lists() {
        let document =
            b"<BlockList><CommittedBlocks><Block><Name>a</Name><Size>1</Size></Block></CommittedBlocks>\
            <UncommittedBlocks><Block><Name>b</Name><Size>2</Size></Block></UncommittedBlocks></BlockList>";
        assert_eq!(parse_blocks(document, "UncommittedBlocks").unwrap(), [("b".to_owned(), 2)]);
        assert_eq!(parse_blocks(document, "CommittedBlocks").unwrap(), [("a".to_owned(), 1)]);
        assert!(parse_blocks(b"<BlockList><UncommittedBlocks>", "UncommittedBlocks").is_err());
    }
}
