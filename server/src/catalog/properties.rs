//! WebDAV's dead properties (RFC 4918, section 4): what clients set on a node and the server only keeps.

use super::db::Tx;
use super::sql::{self, row};
use crate::error::Result;

/// A property of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    /// Internal key of the node.
    pub node_id: i64,
    /// Its namespace; empty for none.
    pub namespace: String,
    /// Its name in it.
    pub name: String,
    /// The whole element as XML that needs nothing around it.
    pub value: String,
}

row!(Property { node_id, namespace, name, value });

const OF_NODE: &str =
    "SELECT node_id, namespace, name, value FROM dav_properties WHERE node_id = $1 ORDER BY namespace, name";

/// The properties of a node.
///
/// # Errors
/// The catalogue's.
pub async fn of_node(tx: &mut Tx, node: i64) -> Result<Vec<Property>> {
    Ok(sql::query(OF_NODE).bind(node).fetch_all(tx).await?)
}

const OF_CHILDREN: &str = "SELECT p.node_id, p.namespace, p.name, p.value FROM dav_properties p JOIN nodes n ON n.id = p.node_id \
     WHERE n.parent_id = $1 AND n.state <> 'dead' AND n.name > $2 AND n.name <= $3 ORDER BY n.name, p.namespace, p.name";

/// The properties of the live children of a folder whose names lie after one name and up to another.
///
/// # Errors
/// The catalogue's.
pub async fn of_children(tx: &mut Tx, folder: i64, after: &str, up_to: &str) -> Result<Vec<Property>> {
    Ok(sql::query(OF_CHILDREN).bind(folder).bind(after).bind(up_to).fetch_all(tx).await?)
}

const SET: &str = "INSERT INTO dav_properties (node_id, namespace, name, value) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (node_id, namespace, name) DO UPDATE SET value = excluded.value";

/// Sets a property.
///
/// # Errors
/// The catalogue's.
pub async fn set(tx: &mut Tx, node: i64, namespace: &str, name: &str, value: &str) -> Result<()> {
    sql::query(SET).bind(node).bind(namespace).bind(name).bind(value).execute(tx).await?;
    Ok(())
}

const REMOVE: &str = "DELETE FROM dav_properties WHERE node_id = $1 AND namespace = $2 AND name = $3";

/// Removes a property, if it is there.
///
/// # Errors
/// The catalogue's.
pub async fn remove(tx: &mut Tx, node: i64, namespace: &str, name: &str) -> Result<()> {
    sql::query(REMOVE).bind(node).bind(namespace).bind(name).execute(tx).await?;
    Ok(())
}

const CLEAR: &str = "DELETE FROM dav_properties WHERE node_id = $1";

/// Removes all properties of a node.
///
/// # Errors
/// The catalogue's.
pub async fn clear(tx: &mut Tx, node: i64) -> Result<()> {
    sql::query(CLEAR).bind(node).execute(tx).await?;
    Ok(())
}

const COPY: &str = "INSERT INTO dav_properties (node_id, namespace, name, value) \
     SELECT CAST($2 AS BIGINT), namespace, name, value FROM dav_properties WHERE node_id = $1";

/// Gives a node exactly the properties of another.
///
/// # Errors
/// The catalogue's.
pub async fn copy(tx: &mut Tx, from: i64, to: i64) -> Result<()> {
    if from != to {
        clear(tx, to).await?;
        sql::query(COPY).bind(from).bind(to).execute(tx).await?;
    }
    Ok(())
}

const SIZE: &str =
    "SELECT COUNT(*), CAST(COALESCE(SUM(LENGTH(value)), 0) AS BIGINT) FROM dav_properties WHERE node_id = $1";

/// How many properties a node has, and how many characters they are.
///
/// # Errors
/// The catalogue's.
pub async fn size(tx: &mut Tx, node: i64) -> Result<(i64, i64)> {
    Ok(sql::query(SIZE).bind(node).fetch_one(tx).await?)
}

/// Every SQL text of this file, to be prepared on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: super::testing::Statements = super::testing::statements! {
    OF_NODE, OF_CHILDREN, SET, REMOVE, CLEAR, COPY, SIZE
};
