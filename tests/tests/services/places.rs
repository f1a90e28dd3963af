//! Places that a service opens: a folder, Azurite and Ceph RGW, each by a location and variables, with a prefix.

use std::sync::Arc;

use cabotage::{AccessMode, Environment, Layers, Location, OpenOptions, Role, Storage, Stores};
use tempfile::TempDir;

/// One of them.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    location: String,
    variables: Vec<(String, String)>,
    _folder: Option<TempDir>,
}

impl Place {
    /// The store as `cabotage::open` gives it, but for the environment, which a test can't change.
    pub(crate) async fn open(&self, access: AccessMode) -> Arc<dyn Storage> {
        let stores = Stores::without_file(self.variables.iter().cloned().collect::<Environment>());
        let location = Location::parse(&self.location).unwrap();
        let options = OpenOptions { role: Role::Destination, ..OpenOptions::default() };
        let opened = stores.open(&location, &options).await.unwrap();
        opened.layered(&Layers { access, ..Layers::default() })
    }
}

/// The places on servers, each new and empty.
pub(crate) fn on_servers(test: &str) -> Vec<Place> {
    let mut places = Vec::new();
    match acceptance::azurite() {
        None => acceptance::announce_missing("azurite", test),
        Some(server) => places.push(Place {
            name: "azurite",
            location: format!("az://{}/a prefix", server.container("services")),
            variables: server.variables(),
            _folder: None,
        }),
    }
    match acceptance::rgw() {
        None => acceptance::announce_missing("rgw", test),
        Some(server) => places.push(Place {
            name: "rgw",
            location: format!("s3://{}/a prefix", server.bucket("services")),
            variables: server.variables(),
            _folder: None,
        }),
    }
    places
}

/// All places, each new and empty.
pub(crate) fn everywhere(test: &str) -> Vec<Place> {
    let folder = TempDir::new().unwrap();
    let location = folder.path().join("new").to_str().unwrap().to_owned();
    let mut places = on_servers(test);
    places.push(Place { name: "local", location, variables: Vec::new(), _folder: Some(folder) });
    places
}
