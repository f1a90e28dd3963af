//! Listings a page at a time, gone on with by name: a page's token is the last name that it told.

use cabotage_core::{Key, ListItem, ListOrder, ListScope, Storage};
use futures::stream::TryStreamExt as _;
use object_store::list::{PaginatedListOptions, PaginatedListResult};
use object_store::path::Path;
use object_store::{ListResult, Result};

use crate::error::core_error;
use crate::paths::{LeftOut, meta, not_implemented};

/// As many as one reply of most servers tells.
const PAGE: usize = 1000;

pub(crate) async fn page(
    store: &dyn Storage,
    left_out: &LeftOut,
    prefix: Option<&str>,
    options: PaginatedListOptions,
) -> Result<PaginatedListResult> {
    if store.capabilities().list_order == ListOrder::None {
        return Err(not_implemented("list_paginated of a store that lists in no order"));
    }
    let fail = |error| core_error(error, &Path::default());
    let last = options.page_token.or(options.offset).filter(|name| !name.is_empty());
    let scope = ListScope {
        delimiter: options.delimiter.map(std::borrow::Cow::into_owned),
        after: last.as_deref().map(Key::new).transpose().map_err(fail)?,
        ..ListScope::prefix(prefix.unwrap_or_default())
    };
    let mut page = Page { left: options.max_keys.unwrap_or(PAGE).max(1), ..Page::default() };
    let mut items = store.list(scope);
    while let Some(item) = items.try_next().await.map_err(fail)? {
        // Names after a group's are in the group, so a page that begins after it tells it again.
        if matches!(&item, ListItem::Prefix(group) if Some(group.as_str()) == last.as_deref()) {
            continue;
        }
        if page.left == 0 {
            return Ok(PaginatedListResult { result: page.result, page_token: page.last });
        }
        page.add(item, left_out);
    }
    Ok(PaginatedListResult { result: page.result, page_token: None })
}

struct Page {
    result: ListResult,
    last: Option<String>,
    left: usize,
}

impl Default for Page {
    fn default() -> Self {
        let result = ListResult { common_prefixes: Vec::new(), objects: Vec::new() };
        Self { result, last: None, left: 0 }
    }
}

impl Page {
    fn add(&mut self, item: ListItem, left_out: &LeftOut) {
        match item {
            ListItem::Object(info) => {
                let path = left_out.path_of(info.key.as_str());
                self.left -= usize::from(path.is_some());
                self.result.objects.extend(path.map(|path| meta(path, &info)));
                self.last = Some(info.key.as_str().to_owned());
            }
            ListItem::Prefix(key) => {
                let name = key.as_str();
                let path = left_out.path_of(name.strip_suffix('/').unwrap_or(name));
                self.left -= usize::from(path.is_some());
                self.result.common_prefixes.extend(path);
                self.last = Some(name.to_owned());
            }
            ListItem::BadKey(raw) => left_out.add(&raw.display()),
            ListItem::Version(_) => {}
        }
    }
}
